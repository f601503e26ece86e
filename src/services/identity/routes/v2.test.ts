import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passwords, startIdentity } from '../../../../test/support/identity.ts'

const admin = { username: 'admin', password: passwords.adminPassword }

test('v2.0: log-in by name, by token, with and without a tenant', async (t) => {
  const cloud = await startIdentity(t)
  await cloud.identity.register({ type: 'compute', name: 'nova', url: 'http://x/v2/%(project_id)s' })
  const { call } = cloud
  const logIn = (auth: object) => call('POST', '/v2.0/tokens', { body: { auth } })
  const { status, body } = await logIn({ passwordCredentials: admin, tenantName: 'admin' })
  assert.equal(status, 200, JSON.stringify(body))
  const { token, user, serviceCatalog } = body.access
  assert.deepEqual([token.tenant.name, user.username], ['admin', 'admin'])
  assert.match(token.expires, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  assert.ok(user.roles.some((role: { name: string }) => role.name === 'admin'))
  const nova = serviceCatalog.find((service: { type: string }) => service.type === 'compute')
  assert.equal(nova.endpoints[0].publicURL, `http://x/v2/${token.tenant.id}`)
  assert.equal(nova.endpoints[0].region, 'RegionOne')
  assert.equal((await call('GET', '/v3/users', { token: token.id })).status, 200, 'a token like any other')

  const unscoped = await logIn({ passwordCredentials: admin })
  assert.deepEqual([unscoped.body.access.token.tenant, unscoped.body.access.serviceCatalog], [undefined, []])
  const old = unscoped.body.access.token.id
  const { tenants } = (await call('GET', '/v2.0/tenants', { token: old })).body
  assert.deepEqual(
    tenants.map((tenant: { name: string }) => tenant.name),
    ['admin'],
  )
  const scoped = await logIn({ token: { id: old }, tenantId: tenants[0].id })
  assert.equal(scoped.body.access.token.tenant.id, tenants[0].id)

  assert.equal((await logIn({ passwordCredentials: { ...admin, password: 'x' } })).status, 401)
  assert.equal((await logIn({ passwordCredentials: admin, tenantName: 'none' })).status, 401)
  assert.equal((await logIn({})).status, 400)
  assert.equal((await call('GET', '/v2.0/tenants')).status, 401)
  assert.equal((await call('GET', '/v2.0')).body.version.id, 'v2.0')
})

test('v2.0 knows the default domain only', async (t) => {
  const { call, admin: token } = await startIdentity(t)
  const domain = (await call('POST', '/v3/domains', { token, body: { domain: { name: 'd' } } })).body.domain.id
  const wanted = { name: 'eve', password: 'secret', domain_id: domain }
  const user = (await call('POST', '/v3/users', { token, body: { user: wanted } })).body.user.id
  for (const who of [{ username: 'eve' }, { userId: user }]) {
    const auth = { passwordCredentials: { ...who, password: 'secret' } }
    assert.equal((await call('POST', '/v2.0/tokens', { body: { auth } })).status, 401)
  }
})

test('v2.0 can be switched off', async (t) => {
  const { call, admin: token } = await startIdentity(t, { config: { identityV2: false } })
  const auth = { passwordCredentials: admin }
  assert.equal((await call('POST', '/v2.0/tokens', { token, body: { auth } })).status, 404)
})
