import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBase32, isPasscode, passcodeAt } from './totp.ts'

/** RFC 6238, appendix B, SHA-1: the last six of the eight digits there. */
const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'
const vectors: [seconds: number, passcode: string][] = [
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
]
test('the passcodes of RFC 6238', () => {
  assert.equal(fromBase32(secret)?.toString(), '12345678901234567890')
  for (const [seconds, passcode] of vectors) {
    assert.equal(passcodeAt(Buffer.from('12345678901234567890'), Math.floor(seconds / 30)), passcode)
    assert.equal(isPasscode(secret, passcode, seconds * 1000), true)
    assert.equal(isPasscode(secret, passcode, seconds * 1000 + 30_000), true, 'the one before is good, too')
    assert.equal(isPasscode(secret, passcode, seconds * 1000 + 60_000), false)
    assert.equal(isPasscode(secret, passcode, seconds * 1000 - 30_000), false)
  }
})

test('what is no secret gives no passcode', () => {
  for (const text of ['', '====', 'gezdgnbv', '01', 'GEZD GNBV']) assert.equal(fromBase32(text), null)
  assert.equal(isPasscode('', '', 0), false)
  assert.deepEqual(fromBase32('MZXW6==='), Buffer.from('foo'))
})
