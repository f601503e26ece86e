import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testConfig } from '../../../../test/support/ground.ts'
import { startIdentity, type TestIdentity } from '../../../../test/support/identity.ts'
import type { SecurityCompliance } from '../../../platform/config.ts'
import { fromBase32, passcodeAt } from '../logic/totp.ts'

const dayMs = 24 * 3_600_000

/** A cloud with these rules, and a user `ann` with the password `first`. */
async function begun(
  t: Parameters<typeof startIdentity>[0],
  rules: Partial<SecurityCompliance>,
  options: Record<string, unknown> = {},
) {
  const config = { securityCompliance: { ...testConfig.securityCompliance, ...rules } }
  const cloud = await startIdentity(t, { config })
  const body = { user: { name: 'ann', password: 'first', options } }
  const made = await cloud.call('POST', '/v3/users', { token: cloud.admin, body })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const { id, password_expires_at: expiresAt } = made.body.user
  const change = (original_password: string, password: string) =>
    cloud.call('POST', `/v3/users/${id}/password`, { body: { user: { original_password, password } } })
  const patch = (user: object) => cloud.call('PATCH', `/v3/users/${id}`, { token: cloud.admin, body: { user } })
  return { cloud, id, expiresAt, change, patch, logIn: (password: string) => cloud.logIn('ann', password) }
}

test('so many wrong passwords lock a user, for a while', async (t) => {
  const { cloud, id, logIn, patch } = await begun(t, { lockoutFailureAttempts: 2, lockoutDurationSeconds: 60 })
  assert.equal((await logIn('wrong')).status, 401)
  assert.equal((await logIn('first')).status, 201, 'one is forgiven')
  for (let i = 0; i < 2; i++) assert.equal((await logIn('wrong')).status, 401)
  const locked = await logIn('first')
  assert.deepEqual([locked.status, locked.body.error.message], [401, `The account is locked for user: ${id}.`])
  cloud.ground.clock.advanceMs(61_000)
  assert.equal((await logIn('wrong')).status, 401)
  assert.equal((await logIn('first')).status, 201, 'a new count')
  for (let i = 0; i < 2; i++) await logIn('wrong')
  assert.equal((await logIn('first')).status, 401)
  assert.equal((await patch({ enabled: true })).status, 200)
  assert.equal((await logIn('first')).status, 201, 'opened by an administrator')
})

test('a user can be exempt from the lock', async (t) => {
  const { logIn } = await begun(t, { lockoutFailureAttempts: 1 }, { ignore_lockout_failure_attempts: true })
  for (let i = 0; i < 3; i++) await logIn('wrong')
  assert.equal((await logIn('first')).status, 201)
})

test('passwords end, and can then be changed, not used', async (t) => {
  const { cloud, id, expiresAt, change, logIn } = await begun(t, { passwordExpiresDays: 2, minimumPasswordAgeDays: 9 })
  const inMs = Date.parse(expiresAt) - cloud.ground.clock.nowMs()
  assert.ok(Math.abs(inMs - 2 * dayMs) < 60_000)
  const token = await cloud.tokenOf('ann', 'first')
  const shown = await cloud.call('GET', '/v3/auth/tokens', { token, headers: { 'x-subject-token': token } })
  assert.equal(shown.body.token.user.password_expires_at, expiresAt)
  assert.equal((await change('first', 'second')).status, 400, 'too young')
  cloud.ground.clock.advanceMs(2 * dayMs + 1000)
  const refused = await logIn('first')
  assert.match(refused.body.error.message, /password is expired and needs to be changed/)
  assert.ok(refused.body.error.message.includes(id))
  assert.equal((await change('first', 'second')).status, 204)
  assert.equal((await logIn('second')).status, 201)
})

test('the passwords of late are not chosen again', async (t) => {
  const { change, patch, logIn } = await begun(t, { uniqueLastPasswordCount: 3 })
  assert.equal((await change('first', 'second')).status, 204)
  assert.equal((await change('second', 'first')).status, 400)
  assert.equal((await change('second', 'third')).status, 204)
  const refused = await change('third', 'first')
  assert.match(refused.body.error.message, /must be unique is 3/)
  assert.equal((await change('third', 'fourth')).status, 204)
  assert.equal((await change('fourth', 'first')).status, 204)
  assert.equal((await patch({ password: 'fourth' })).status, 200, 'an administrator may')
  assert.equal((await logIn('fourth')).status, 201)
})

test('what a password must look like is asked of all', async (t) => {
  const rules = { passwordRegex: '[a-z]{5,}$', passwordRegexDescription: 'five letters' }
  const { cloud, change, patch } = await begun(t, rules)
  const refused = await change('first', 'abc1')
  assert.equal(refused.status, 400)
  assert.equal(refused.body.error.message, 'The password does not match the requirements: five letters.')
  assert.equal((await patch({ password: '1abcde' })).status, 400)
  const body = { user: { name: 'bob', password: 'X' } }
  assert.equal((await cloud.call('POST', '/v3/users', { token: cloud.admin, body })).status, 400)
  assert.equal((await change('first', 'second')).status, 204)
  const url = '/v3/domains/default/config/security_compliance'
  const shown = (await cloud.call('GET', `${url}/password_regex`, { token: cloud.admin })).body.config
  assert.deepEqual(shown, { password_regex: rules.passwordRegex })
})

test('a password that another chose must be changed first', async (t) => {
  const { change, patch, logIn } = await begun(t, { changePasswordUponFirstUse: true, minimumPasswordAgeDays: 1 })
  assert.equal((await logIn('first')).status, 401)
  assert.equal((await change('first', 'second')).status, 204)
  assert.equal((await logIn('second')).status, 201)
  assert.equal((await patch({ password: 'third' })).status, 200)
  assert.equal((await logIn('third')).status, 401)
  assert.equal(
    (await patch({ password: 'fourth', options: { ignore_change_password_upon_first_use: true } })).status,
    200,
  )
  assert.equal((await logIn('fourth')).status, 201)
})

test('options of a user that there are not', async (t) => {
  const { patch } = await begun(t, {})
  for (const options of [{ nonsense: true }, { lock_password: 'x' }, { multi_factor_auth_rules: [[]] }])
    assert.equal((await patch({ options })).status, 400)
  const set = await patch({ options: { lock_password: true, ignore_password_expiry: true } })
  assert.deepEqual(set.body.user.options, { lock_password: true, ignore_password_expiry: true })
  assert.deepEqual((await patch({ options: { lock_password: null } })).body.user.options, {
    ignore_password_expiry: true,
  })
})

const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'

/** A log-in of `ann` by these methods. */
async function by(cloud: TestIdentity, methods: Record<string, object>, receipt?: string) {
  const identity = { methods: Object.keys(methods), ...methods }
  const headers = receipt === undefined ? {} : { 'openstack-auth-receipt': receipt }
  return cloud.call('POST', '/v3/auth/tokens', { headers, body: { auth: { identity } } })
}

test('two factors, in one request or in two with a receipt', async (t) => {
  const { cloud, id, patch } = await begun(t, {})
  const credential = { user_id: id, type: 'totp', blob: secret }
  const made = await cloud.call('POST', '/v3/credentials', { token: cloud.admin, body: { credential } })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const rules = [['password', 'totp']]
  await patch({ options: { multi_factor_auth_enabled: true, multi_factor_auth_rules: rules } })
  const password = { user: { id, password: 'first' } }
  const totp = (passcode: string) => ({ user: { id, passcode } })
  const now = () => passcodeAt(fromBase32(secret)!, Math.floor(cloud.ground.clock.nowMs() / 30_000))

  const both = await by(cloud, { password, totp: totp(now()) })
  assert.equal(both.status, 201)
  assert.deepEqual(both.body.token.methods.sort(), ['password', 'totp'])
  assert.equal((await by(cloud, { password, totp: totp('12345x') })).status, 401)

  const half = await by(cloud, { password })
  assert.equal(half.status, 401)
  assert.deepEqual(half.body.required_auth_methods, rules)
  assert.deepEqual([half.body.receipt.methods, half.body.receipt.user.id], [['password'], id])
  const receipt = String(half.headers['openstack-auth-receipt'])
  const rest = await by(cloud, { totp: totp(now()) }, receipt)
  assert.equal(rest.status, 201)
  assert.deepEqual(rest.body.token.methods.sort(), ['password', 'totp'])
  const token = String(rest.headers['x-subject-token'])
  assert.equal((await by(cloud, { token: { id: token } })).status, 201, 'what was proved goes on')

  assert.equal((await by(cloud, { totp: totp(now()) }, `${receipt.slice(0, -4)}AAAA`)).status, 401)
  assert.equal((await cloud.call('GET', '/v3/users', { token: receipt })).status, 401, 'a receipt is no token')
  const others = { password: { user: { id: cloud.seeded.adminUserId, password: 'admin-secret' } } }
  assert.equal((await by(cloud, others, receipt)).status, 401, "another's receipt")
  cloud.ground.clock.advanceMs(301_000)
  assert.equal((await by(cloud, { totp: totp(now()) }, receipt)).status, 401, 'too late')
  await patch({ options: { multi_factor_auth_enabled: false } })
  assert.equal((await by(cloud, { password })).status, 201)
})

test('a receipt dies with the password', async (t) => {
  const { cloud, id, patch } = await begun(t, {})
  await patch({ options: { multi_factor_auth_rules: [['password', 'totp']] } })
  const half = await by(cloud, { password: { user: { id, password: 'first' } } })
  const receipt = String(half.headers['openstack-auth-receipt'])
  await patch({ password: 'second', options: { multi_factor_auth_rules: null } })
  const again = { password: { user: { id, password: 'second' } } }
  assert.equal((await by(cloud, again, receipt)).status, 401)
  assert.equal((await by(cloud, again)).status, 201)
})

test('users are found by when their password ends', async (t) => {
  const { cloud, id, expiresAt, patch } = await begun(t, { passwordExpiresDays: 2 })
  const found = async (filter: string): Promise<string[]> => {
    const reply = await cloud.call('GET', `/v3/users?name=ann&password_expires_at=${filter}`, { token: cloud.admin })
    assert.equal(reply.status, 200, JSON.stringify(reply.body))
    return reply.body.users.map((user: { id: string }) => user.id)
  }
  for (const filter of ['gt:2020-01-01T00:00:00Z', `lte:${expiresAt}`, `eq:${expiresAt}`, 'neq:2020-01-01T00:00:00Z'])
    assert.deepEqual(await found(filter), [id], filter)
  for (const filter of ['lt:2020-01-01T00:00:00', `gt:${expiresAt}`, `neq:${expiresAt}`, '2020-01-01T00:00:00Z'])
    assert.deepEqual(await found(filter), [], filter)
  assert.equal((await patch({ password: null })).status, 200)
  assert.deepEqual(await found('gt:2020-01-01T00:00:00Z'), [], 'none that ends')
  for (const wrong of ['soon', 'gt:soon', 'like:2020-01-01T00:00:00Z']) {
    const reply = await cloud.call('GET', `/v3/users?password_expires_at=${wrong}`, { token: cloud.admin })
    assert.equal(reply.status, 400, wrong)
  }
})
