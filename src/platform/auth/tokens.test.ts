import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isoOf } from '../clock.ts'
import { createRevocations, type Revocation } from './revocations.ts'
import { type Claims, decode, encode } from './token-codec.ts'
import { openTokenKeys } from './token-keys.ts'
import { createTokens, newAuditId } from './tokens.ts'

const hour = 3_600_000
const hex = (digit: string) => digit.repeat(32)

const claims: Claims = {
  userId: hex('a'),
  userName: 'alice',
  userDomainId: 'default',
  scope: { kind: 'project', id: hex('b'), name: 'démo', domainId: 'default' },
  roles: ['admin', 'manager', 'member', 'reader'].map((name, i) => ({ id: hex(String(i)), name })),
  methods: ['password', 'token'],
  auditIds: [newAuditId(), newAuditId()],
  issuedAtMs: 1_795_000_000_123,
  expiresAtMs: 1_795_000_000_123 + 12 * hour,
}

function newTokens(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'berth-tokens-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const time = { ms: claims.issuedAtMs + 1000 }
  const clock = { nowMs: () => time.ms, now: () => isoOf(time.ms) }
  const keys = openTokenKeys(dir, clock)
  const revocations = createRevocations(clock, 12 * hour)
  return { dir, time, clock, keys, revocations, tokens: createTokens(keys, revocations, clock) }
}

const shapes: Claims[] = [
  claims,
  { ...claims, scope: null, roles: [] },
  { ...claims, scope: { kind: 'system' } },
  { ...claims, scope: { kind: 'domain', id: 'default', name: 'Default' } },
  { ...claims, userName: 'ü'.repeat(255), userId: 'not-hex', auditIds: [claims.auditIds[0]!] },
]
for (const shape of shapes)
  test(`claims with ${shape.scope?.kind ?? 'no'} scope and user ${shape.userId} survive the codec`, () => {
    assert.deepEqual(decode(encode(shape)), shape)
  })

test('a token says what was put in, is short, and is refused when anything in it changes', (t) => {
  const { tokens } = newTokens(t)
  const token = tokens.issue(claims)
  assert.ok(token.length < 450, `${token.length} characters`)
  assert.deepEqual(tokens.read(token), claims)
  for (let i = 0; i < token.length; i += 7) {
    const other = token[i] === 'A' ? 'B' : 'A'
    assert.equal(tokens.read(token.slice(0, i) + other + token.slice(i + 1)), null, `changed at ${i}`)
  }
  for (const bad of ['', 'x', `${token}A`, `${token}=`, ` ${token}`, token.slice(0, -4), 'A'.repeat(400), '☃'])
    assert.equal(tokens.read(bad), null)
})

test('a token becomes the context of a request', (t) => {
  const { tokens } = newTokens(t)
  const token = tokens.issue(claims)
  const ctx = tokens.authenticate(token, 'req-1')
  assert.equal(ctx?.projectName, 'démo')
  assert.equal(ctx?.isAdmin, true)
  assert.deepEqual(ctx?.roles, ['admin', 'manager', 'member', 'reader'])
  assert.equal(ctx?.expiresAt, isoOf(claims.expiresAtMs))
  const unscoped = tokens.authenticate(tokens.issue({ ...claims, scope: null, roles: [] }), 'req-2')
  assert.deepEqual([unscoped?.projectId, unscoped?.domainId, unscoped?.system], [null, null, false])
})

test('a token dies at its time, and can be forgiven for a while', (t) => {
  const { tokens, time } = newTokens(t)
  const token = tokens.issue(claims)
  time.ms = claims.expiresAtMs - 1
  assert.ok(tokens.read(token))
  time.ms = claims.expiresAtMs
  assert.equal(tokens.read(token), null)
  assert.ok(tokens.read(token, { allowExpiredMs: hour }))
  assert.equal(tokens.authenticate(token, 'req-1'), null)
})

const scope = `project:${hex('b')}`
const revocations: [what: Omit<Revocation, 'issuedBeforeMs'>, covers: boolean][] = [
  [{ auditId: claims.auditIds[0]! }, true],
  [{ auditId: claims.auditIds[1]! }, false], // the parent's end is not the child's
  [{ userId: hex('a') }, true],
  [{ userId: hex('f') }, false],
  [{ scope }, true],
  [{ scope: `project:${hex('c')}` }, false],
  [{ userId: hex('a'), scope }, true],
  [{ userId: hex('a'), scope: 'none' }, false],
  [{ userId: hex('f'), scope }, false],
  [{ roleId: hex('1') }, true],
  [{ roleId: hex('9') }, false],
  [{ userId: hex('a'), roleId: hex('1'), scope }, true],
  [{ userId: hex('a'), roleId: hex('1') }, true],
  [{ userId: hex('f'), roleId: hex('1') }, false],
  [{ userId: hex('a'), roleId: hex('1'), scope: 'system' }, false],
  [{ domainId: 'default' }, true],
  [{ domainId: 'other' }, false],
]
for (const [what, covers] of revocations)
  test(`revoking ${JSON.stringify(what)} ${covers ? 'ends' : 'leaves'} the token`, (t) => {
    const { tokens, revocations } = newTokens(t)
    const token = tokens.issue(claims)
    assert.ok(tokens.read(token))
    revocations.add({ ...what, issuedBeforeMs: claims.issuedAtMs - 1 })
    assert.ok(tokens.read(token), 'issued after the revocation')
    revocations.add({ ...what, issuedBeforeMs: claims.issuedAtMs })
    revocations.add({ ...what, issuedBeforeMs: claims.issuedAtMs - 5 }) // late and out of order
    assert.equal(tokens.read(token) === null, covers)
  })

test('revocations older than any living token are forgotten', (t) => {
  const { revocations, time } = newTokens(t)
  for (let i = 0; i < 1000; i++) revocations.add({ auditId: `old${i}`, issuedBeforeMs: time.ms })
  time.ms += 13 * hour
  for (let i = 0; i < 100; i++) revocations.add({ auditId: `new${i}`, issuedBeforeMs: time.ms })
  assert.ok(revocations.size <= 100)
})

test('keys rotate without an outage, in this process and in the next', (t) => {
  const { dir, clock, time, keys, tokens } = newTokens(t)
  const other = createTokens(openTokenKeys(dir, clock), createRevocations(clock, hour), clock)
  const before = tokens.issue(claims)
  time.ms += 5000
  keys.rotate()
  const after = tokens.issue(claims)
  for (const each of [tokens, other]) {
    assert.ok(each.read(before))
    assert.ok(each.read(after))
  }
  time.ms += hour
  keys.retire(2 * hour)
  assert.equal(readdirSync(dir).length, 2)
  time.ms += 2 * hour
  keys.retire(2 * hour)
  assert.equal(readdirSync(dir).length, 1)
  const third = createTokens(openTokenKeys(dir, clock), createRevocations(clock, hour), clock)
  assert.equal(third.read(before), null)
  assert.ok(third.read(after))
})

test('keys are for their owner only', (t) => {
  const { dir } = newTokens(t)
  for (const name of readdirSync(dir)) assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600)
})

test('another cloud does not accept the token', (t) => {
  assert.equal(newTokens(t).tokens.read(newTokens(t).tokens.issue(claims)), null)
})
