import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { test } from 'node:test'
import { hashesComputed, hashPassword, needsRehash, verifyPassword } from './passwords.ts'

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
  await assert.rejects(verifyPassword('x', '$2b$12$abc'), /in no form/)
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

test('passwords brought along from Keystone are verified, and due for a hash of ours', async () => {
  // Written by passlib, `scrypt` with 2^10 rounds and `pbkdf2_sha512` with 1000.
  const hashes = [
    '$scrypt$ln=10,r=8,p=1$mrPWuhfi/H+vNea8l/Ie4w$OVDLrDp3mnGKM5tvH+XzRJJlEfdFecGHOLauvhSHFpo',
    '$pbkdf2-sha512$1000$s1aKsRZCCAEAQCiF0JpzTg$z13ENMJtS9XxXetpnn0aT8Gu8Tyux5F26U4uFd0iXy63bgZ0OWl8GovR.7M1eikG.gpRgHEu1QuuW7BfqzxhVA',
  ]
  for (const hash of hashes) {
    assert.equal(await verifyPassword('a right password', hash), true)
    assert.equal(await verifyPassword('a wrong password', hash), false)
    assert.equal(needsRehash(hash), true)
  }
})

test('nobody costs as many hashes as somebody', async () => {
  const hash = await hashPassword('x')
  const costOf = async (hash: string | null) => {
    const before = hashesComputed()
    await verifyPassword('y', hash)
    return hashesComputed() - before
  }
  assert.deepEqual([await costOf(hash), await costOf(null)], [1, 1])
})
