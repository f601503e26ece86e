import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passwords, projectScope, startIdentity } from '../../../../test/support/identity.ts'

const base = '/v3/OS-EP-FILTER'
const ids = (items: { id: string }[]) => items.map((item) => item.id).sort()

test('endpoint groups, and a project whose catalog is filtered by them', async (t) => {
  const cloud = await startIdentity(t)
  const { call, admin: token } = cloud
  const service = (await call('POST', '/v3/services', { token, body: { service: { type: 'weather' } } })).body.service
  const endpoints: { id: string; interface: string }[] = []
  for (const name of ['public', 'admin']) {
    const endpoint = { service_id: service.id, interface: name, url: 'http://x' }
    endpoints.push((await call('POST', '/v3/endpoints', { token, body: { endpoint } })).body.endpoint)
  }
  const wanted = { name: 'open', description: null, filters: { interface: 'public', service_id: service.id } }
  const made = await call('POST', `${base}/endpoint_groups`, { token, body: { endpoint_group: wanted } })
  assert.equal(made.status, 201)
  const group = made.body.endpoint_group
  assert.deepEqual({ ...group, ...wanted }, group)
  for (const filters of [{}, { colour: 'red' }]) {
    const body = { endpoint_group: { name: 'x', filters } }
    assert.equal((await call('POST', `${base}/endpoint_groups`, { token, body })).status, 400)
  }
  const url = `${base}/endpoint_groups/${group.id}`
  const found = (await call('GET', `${url}/endpoints`, { token })).body.endpoints
  assert.deepEqual(ids(found), [endpoints[0]!.id])

  const demo = (await call('GET', '/v3/projects?name=demo', { token })).body.projects[0].id
  const catalog = async () => {
    const mine = await cloud.tokenOf('demo', passwords.demoPassword, projectScope('demo'))
    const { body } = await call('GET', '/v3/auth/catalog', { token: mine })
    return ids(body.catalog.flatMap((each: { endpoints: { id: string }[] }) => each.endpoints))
  }
  const whole = await catalog()
  assert.ok(whole.length > 2)

  const pair = `${url}/projects/${demo}`
  assert.equal((await call('GET', pair, { token })).status, 404)
  assert.equal((await call('PUT', pair, { token })).status, 204)
  assert.equal((await call('PUT', pair, { token })).status, 409)
  assert.equal((await call('GET', pair, { token })).body.project_endpoint_group.project_id, demo)
  assert.deepEqual(await catalog(), [endpoints[0]!.id])
  const mine = await cloud.tokenOf('demo', passwords.demoPassword, projectScope('demo'))
  const services = (await call('GET', '/v3/auth/catalog', { token: mine })).body.catalog
  assert.deepEqual(ids(services), [service.id], 'a service without a chosen endpoint is left out')
  assert.deepEqual(ids((await call('GET', `${url}/projects`, { token })).body.projects), [demo])
  const groups = (await call('GET', `${base}/projects/${demo}/endpoint_groups`, { token })).body.endpoint_groups
  assert.deepEqual(ids(groups), [group.id])

  const one = `${base}/projects/${demo}/endpoints/${endpoints[1]!.id}`
  assert.equal((await call('GET', one, { token })).status, 404)
  assert.equal((await call('PUT', one, { token })).status, 204)
  assert.equal((await call('PUT', one, { token })).status, 409)
  assert.equal((await call('HEAD', one, { token })).status, 204)
  assert.deepEqual(await catalog(), ids(endpoints))
  assert.deepEqual(
    ids((await call('GET', `${base}/projects/${demo}/endpoints`, { token })).body.endpoints),
    ids(endpoints),
  )
  const projects = (await call('GET', `${base}/endpoints/${endpoints[1]!.id}/projects`, { token })).body.projects
  assert.deepEqual(ids(projects), [demo])
  assert.equal((await call('DELETE', one, { token })).status, 204)
  assert.equal((await call('DELETE', one, { token })).status, 404)

  const change = { endpoint_group: { name: 'shut', filters: { interface: 'admin', service_id: service.id } } }
  assert.equal((await call('PATCH', url, { token, body: change })).body.endpoint_group.name, 'shut')
  assert.deepEqual(await catalog(), [endpoints[1]!.id])
  assert.equal((await call('DELETE', url, { token })).status, 204)
  assert.deepEqual(await catalog(), whole)
})
