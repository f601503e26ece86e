import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { test } from 'node:test'
import { hashPassword, needsRehash, verifyPassword } from './passwords.ts'

test('a password is verified against its own hash only', async () => {
  const hash = await hashPassword('correct horse')
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  assert.equal(await verifyPassword('correct horse', hash), true)
  assert.equal(await verifyPassword('correct horsf', hash), false)
  assert.equal(await verifyPassword('', hash), false)
  assert.notEqual(await hashPassword('correct horse'), hash)
})

test('nobody has any password', async () => {
  assert.equal(await verifyPassword('', null), false)
  assert.equal(await verifyPassword('x', null), false)
})

test('a hash of another program is verified at its own cost, and is due for a new one', async () => {
  // From the reference implementation's test vectors: version 19, 256 KiB, 2 passes, salt "somesalt".
  const weak = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'
  assert.equal(await verifyPassword('password', weak), true)
  assert.equal(await verifyPassword('Password', weak), false)
  assert.equal(needsRehash(weak), true)
  assert.equal(needsRehash(await hashPassword('password')), false)
})

test('a stored hash in another form is an error, not a wrong password', async () => {
  await assert.rejects(verifyPassword('x', '$2b$12$abc'), /not in the form/)
})

test('a burst of log-ins leaves the thread pool room for others', async () => {
  const hash = await hashPassword('x')
  const order: string[] = []
  const burst = Promise.all(Array.from({ length: 12 }, () => verifyPassword('x', hash))).then(() => order.push('burst'))
  await stat('/').then(() => order.push('file'))
  await burst
  assert.deepEqual(order, ['file', 'burst'])
})

test('a failure gives its place back', async () => {
  const bad = '$argon2id$v=19$m=1,t=1,p=9$c29tZXNhbHQ$AAAAAAAA' // less memory than eight blocks a lane
  const failures = await Promise.allSettled(Array.from({ length: 8 }, () => verifyPassword('x', bad)))
  assert.ok(failures.every((each) => each.status === 'rejected'))
  assert.equal(await verifyPassword('x', await hashPassword('x')), true)
})
