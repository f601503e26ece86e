import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { projectScope, startIdentity } from '../../../../test/support/identity.ts'

/** The demo user, logged in, and what they do with application credentials. */
async function world(t: TestContext) {
  const cloud = await startIdentity(t)
  const { call, seeded, tokenOf } = cloud
  const demo = await tokenOf('demo', 'demo-secret', projectScope('demo'))
  const path = `/v3/users/${seeded.demoUserId}/application_credentials`
  const create = (more: object = {}, token = demo) =>
    call('POST', path, { token, body: { application_credential: { name: 'app', ...more } } })
  const logIn = (proof: object, scope?: object) =>
    call('POST', '/v3/auth/tokens', {
      body: { auth: { identity: { methods: ['application_credential'], application_credential: proof }, scope } },
    })
  const tokenBy = async (proof: object) => String((await logIn(proof)).headers['x-subject-token'])
  const roles = (await call('GET', '/v3/roles', { token: cloud.admin })).body.roles
  const roleId = (name: string): string => roles.find((role: { name: string }) => role.name === name).id
  return { ...cloud, demo, path, create, logInBy: logIn, tokenBy, roleId }
}

test('a program logs in by an application credential, by id or by name', async (t) => {
  const { create, call, demo, path, logInBy, seeded, admin } = await world(t)
  const made = await create()
  assert.equal(made.status, 201)
  const { id, secret, roles, project_id, unrestricted, expires_at } = made.body.application_credential
  assert.deepEqual(
    { project_id, unrestricted, expires_at },
    { project_id: seeded.demoProjectId, unrestricted: false, expires_at: null },
  )
  assert.deepEqual(roles.map((role: { name: string }) => role.name).sort(), ['member', 'reader'])
  const shown = await call('GET', `${path}/${id}`, { token: demo })
  assert.equal(shown.body.application_credential.secret, undefined)
  assert.equal((await call('GET', `${path}?name=app`, { token: demo })).body.application_credentials.length, 1)
  assert.equal((await call('GET', `${path}?name=no`, { token: demo })).body.application_credentials.length, 0)
  assert.equal((await create()).status, 409)
  assert.equal((await create({ name: 'x' }, admin)).status, 403)

  const reply = await logInBy({ id, secret })
  assert.equal(reply.status, 201)
  assert.deepEqual(reply.body.token.methods, ['application_credential'])
  assert.deepEqual(reply.body.token.application_credential, { id, name: 'app', restricted: true })
  assert.equal(reply.body.token.project.id, seeded.demoProjectId)
  const user = { name: 'demo', domain: { id: 'default' } }
  assert.equal((await logInBy({ name: 'app', user, secret })).status, 201)
  assert.equal((await logInBy({ id, secret: 'wrong' })).status, 401)
  assert.equal((await logInBy({ id: 'unknown', secret })).status, 401)
  assert.equal((await logInBy({ name: 'app', secret })).status, 400)
  assert.equal((await logInBy({ id, secret }, projectScope('demo'))).status, 401)
  assert.equal(
    (await create({ name: 'own', secret: 'my own secret' })).body.application_credential.secret,
    'my own secret',
  )
  assert.equal((await logInBy({ name: 'own', user, secret: 'my own secret' })).status, 201)
})

test('it has some of the roles, and only as long as the user has them', async (t) => {
  const { create, logInBy, tokenBy, identity, call, admin, seeded, roleId } = await world(t)
  const { id, secret } = (await create({ roles: [{ name: 'reader' }] })).body.application_credential
  const reply = await logInBy({ id, secret })
  assert.deepEqual(
    reply.body.token.roles.map((role: { name: string }) => role.name),
    ['reader'],
  )
  assert.equal((await create({ name: 'b', roles: [{ name: 'admin' }] })).status, 400)
  assert.equal((await create({ name: 'c', roles: [{ id: 'nothing' }] })).status, 404)
  // A token of fewer roles hands on no more than it has.
  const free = { name: 'free', roles: [{ name: 'reader' }], unrestricted: true }
  const freed = (await create(free)).body.application_credential
  const byFree = await tokenBy({ id: freed.id, secret: freed.secret })
  assert.equal((await create({ name: 'd', roles: [{ name: 'member' }] }, byFree)).status, 400)
  assert.equal((await create({ name: 'e' }, byFree)).status, 201)
  assert.equal((await create({ name: 'f' }, await tokenBy({ id, secret }))).status, 403)

  const token = await tokenBy({ id, secret })
  assert.ok(identity.authenticate(token, 'req-1'))
  const grant = `/v3/projects/${seeded.demoProjectId}/users/${seeded.demoUserId}/roles/${roleId('member')}`
  assert.equal((await call('DELETE', grant, { token: admin })).status, 204)
  assert.equal(identity.authenticate(token, 'req-2'), null)
  await call('PUT', grant, { token: admin })
  assert.equal((await logInBy({ id, secret })).status, 401) // it went with the role
})

test('its end: a time, its deletion, and that of its user', async (t) => {
  const { create, logInBy, tokenBy, identity, call, demo, admin, path, ground, seeded } = await world(t)
  const soon = new Date(ground.clock.nowMs() + 3_600_000).toISOString().replace('Z', '123')
  assert.equal((await create({ expires_at: '2001-01-01T00:00:00' })).status, 400)
  assert.equal((await create({ expires_at: 'tomorrow' })).status, 400)
  const made = (await create({ expires_at: soon })).body.application_credential
  assert.equal(made.expires_at, soon)
  const reply = await logInBy({ id: made.id, secret: made.secret })
  assert.ok(Date.parse(reply.body.token.expires_at) <= Date.parse(`${soon}Z`))
  const other = (await create({ name: 'other' })).body.application_credential
  const token = await tokenBy({ id: other.id, secret: other.secret })
  assert.equal((await call('DELETE', `${path}/${other.id}`, { token })).status, 403)
  assert.equal((await call('DELETE', `${path}/${other.id}`, { token: demo })).status, 204)
  assert.equal(identity.authenticate(token, 'req-1'), null)
  assert.ok(identity.authenticate(demo, 'req-2'))
  assert.equal((await logInBy({ id: other.id, secret: other.secret })).status, 401)
  ground.clock.advanceMs(3_600_001)
  assert.equal((await logInBy({ id: made.id, secret: made.secret })).status, 401)
  assert.equal((await call('DELETE', `/v3/users/${seeded.demoUserId}`, { token: admin })).status, 204)
  assert.equal(
    (await ground.database.read.selectFrom('identity_application_credentials').selectAll().execute()).length,
    0,
  )
})

test('access rules bind every request of its tokens', async (t) => {
  const { create, logInBy, call, demo, path, seeded, admin } = await world(t)
  const rule = { service: 'identity', method: 'GET', path: '/v3/auth/*' }
  const made = (await create({ access_rules: [rule, { ...rule, path: '/v3/users/**' }] })).body.application_credential
  const { id: ruleId, ...said } = made.access_rules.find((each: { path: string }) => each.path === rule.path)
  assert.deepEqual(said, rule)
  const reply = await logInBy({ id: made.id, secret: made.secret })
  assert.equal(reply.body.token.application_credential.access_rules.length, 2)
  const token = String(reply.headers['x-subject-token'])
  const status = async (method: string, url: string) => (await call(method, url, { token })).status
  assert.equal(await status('GET', '/v3/auth/projects'), 200)
  assert.equal(await status('GET', `/v3/users/${seeded.demoUserId}`), 200)
  assert.equal(await status('GET', '/v3/regions'), 401)
  assert.equal(await status('HEAD', '/v3/auth/projects'), 401)
  // What it means is told only to services that know access rules.
  const validate = (headers: object) =>
    call('GET', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': token, ...headers } })
  assert.equal((await validate({})).status, 404)
  assert.equal((await validate({ 'openstack-identity-access-rules': '1.0' })).status, 200)

  const again = (await create({ name: 'b', access_rules: [{ id: ruleId }, rule] })).body.application_credential
  assert.deepEqual(again.access_rules, [{ id: ruleId, ...rule }])
  const rules = `/v3/users/${seeded.demoUserId}/access_rules`
  const list = (query = '') => call('GET', `${rules}${query}`, { token: demo })
  assert.equal((await list()).body.access_rules.length, 2)
  assert.equal((await list('?method=POST')).body.access_rules.length, 0)
  assert.equal((await call('GET', `${rules}/${ruleId}`, { token: demo })).body.access_rule.path, rule.path)
  assert.equal((await call('DELETE', `${rules}/${ruleId}`, { token: demo })).status, 403)
  for (const id of [made.id, again.id]) await call('DELETE', `${path}/${id}`, { token: demo })
  assert.equal((await call('DELETE', `${rules}/${ruleId}`, { token: demo })).status, 204)
  assert.equal((await call('GET', `${rules}/${ruleId}`, { token: demo })).status, 404)
  assert.equal((await create({ name: 'c', access_rules: [{ id: ruleId }] })).status, 404)
  const long = Array.from({ length: 60 }, (_, i) => ({ ...rule, path: `/${i}${'x'.repeat(200)}` }))
  assert.equal((await create({ name: 'd', access_rules: long })).status, 400)
})

test('a role given after the log-in can be handed on; a delegation hands on no more than it has', async (t) => {
  const { create, call, admin, seeded, roleId, logInBy } = await world(t)
  const grant = `/v3/projects/${seeded.demoProjectId}/users/${seeded.demoUserId}/roles/${roleId('manager')}`
  const before = (await create({ unrestricted: true, name: 'before' })).body.application_credential
  const byBefore = String((await logInBy({ id: before.id, secret: before.secret })).headers['x-subject-token'])
  assert.equal((await call('PUT', grant, { token: admin })).status, 204)
  const wanted = { roles: [{ name: 'manager' }] }
  assert.equal((await create(wanted)).status, 201)
  assert.equal((await create({ ...wanted, name: 'c' }, byBefore)).status, 400)
})
