import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passwords, projectScope, startIdentity } from '../../../../test/support/identity.ts'

test('registered limits and limits: create, show, change, list; each sees what is theirs', async (t) => {
  const cloud = await startIdentity(t)
  const { call, admin: token } = cloud
  const service = (await call('POST', '/v3/services', { token, body: { service: { type: 'weather' } } })).body.service
    .id
  const demo = (await call('GET', '/v3/projects?name=demo', { token })).body.projects[0].id
  const register = (more: object = {}) => {
    const limit = { service_id: service, resource_name: 'clouds', default_limit: 10, ...more }
    return call('POST', '/v3/registered_limits', { token, body: { registered_limits: [limit] } })
  }
  const limitFor = (holder: object, more: object = {}) => {
    const limit = { ...holder, service_id: service, resource_name: 'clouds', resource_limit: 5, ...more }
    return call('POST', '/v3/limits', { token, body: { limits: [limit] } })
  }
  assert.equal((await limitFor({ project_id: demo })).status, 403, 'nothing is registered yet')
  const registered = await register({ region_id: 'RegionOne' })
  assert.equal(registered.status, 201)
  const { id } = registered.body.registered_limits[0]
  assert.equal((await register({ region_id: 'RegionOne' })).status, 409)
  assert.equal((await register({ default_limit: -2 })).status, 400)
  assert.equal((await register({ service_id: 'none' })).status, 400)
  const url = `/v3/registered_limits/${id}`
  const changed = await call('PATCH', url, {
    token,
    body: { registered_limit: { default_limit: -1, region_id: null } },
  })
  assert.deepEqual([changed.body.registered_limit.default_limit, changed.body.registered_limit.region_id], [-1, null])
  assert.deepEqual((await call('GET', url, { token })).body, changed.body)

  const own = await limitFor({ project_id: demo })
  assert.equal(own.status, 201, JSON.stringify(own.body))
  const limit = own.body.limits[0]
  assert.deepEqual([limit.project_id, limit.domain_id, limit.resource_limit], [demo, null, 5])
  assert.equal((await limitFor({ project_id: demo })).status, 409)
  assert.equal((await limitFor({})).status, 400)
  assert.equal((await limitFor({ project_id: demo, domain_id: 'default' })).status, 400)
  assert.equal((await limitFor({ project_id: 'default' })).body.limits[0].domain_id, 'default')
  assert.equal((await call('PATCH', url, { token, body: { registered_limit: { default_limit: 1 } } })).status, 403)
  assert.equal((await call('DELETE', url, { token })).status, 403)

  const count = async (user: string, password: string, scope: unknown, query = '') => {
    const who = await cloud.tokenOf(user, password, scope)
    return (await call('GET', `/v3/limits${query}`, { token: who })).body.limits.length
  }
  assert.equal(await count('admin', passwords.adminPassword, { system: { all: true } }), 2)
  assert.equal(await count('admin', passwords.adminPassword, { system: { all: true } }, `?project_id=${demo}`), 1)
  assert.equal(await count('admin', passwords.adminPassword, { system: { all: true } }, '?resource_name=x'), 0)
  assert.equal(await count('demo', passwords.demoPassword, projectScope('demo')), 1)
  const member = await cloud.tokenOf('demo', passwords.demoPassword, projectScope('demo'))
  assert.equal((await call('GET', `/v3/limits/${limit.id}`, { token: member })).status, 200)
  assert.equal((await call('PATCH', `/v3/limits/${limit.id}`, { token: member, body: { limit: {} } })).status, 403)
  assert.equal((await call('GET', '/v3/limits/none', { token: member })).status, 403)
  assert.equal((await call('GET', '/v3/limits/none', { token })).status, 404)

  const domain = (await call('POST', '/v3/domains', { token, body: { domain: { name: 'd2' } } })).body.domain.id
  const role = (await call('GET', '/v3/roles?name=admin', { token })).body.roles[0].id
  for (const id of ['default', domain]) {
    const grant = `/v3/domains/${id}/users/${cloud.seeded.adminUserId}/roles/${role}`
    assert.equal((await call('PUT', grant, { token })).status, 204)
    const who = await cloud.tokenOf('admin', passwords.adminPassword, { domain: { id } })
    assert.equal((await call('GET', `/v3/limits/${limit.id}`, { token: who })).status, id === domain ? 403 : 200)
  }

  const body = { limit: { resource_limit: 6, description: 'more' } }
  assert.equal((await call('PATCH', `/v3/limits/${limit.id}`, { token, body })).body.limit.resource_limit, 6)
  assert.equal((await call('DELETE', `/v3/limits/${limit.id}`, { token })).status, 204)
  assert.equal((await call('GET', '/v3/limits/model', { token })).body.model.name, 'flat')
})

test('limits of several resources are made all or none', async (t) => {
  const { call, admin: token } = await startIdentity(t)
  const service = (await call('POST', '/v3/services', { token, body: { service: { type: 'x' } } })).body.service.id
  const one = { service_id: service, resource_name: 'a', default_limit: 1 }
  const reply = await call('POST', '/v3/registered_limits', { token, body: { registered_limits: [one, one] } })
  assert.equal(reply.status, 409)
  assert.deepEqual((await call('GET', '/v3/registered_limits', { token })).body.registered_limits, [])
})
