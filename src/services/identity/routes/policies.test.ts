import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'

test('policies: create, show, change, list by type, delete', async (t) => {
  const { call, admin: token } = await startIdentity(t)
  const wanted = { type: 'application/json', blob: '{"a": "role:x"}', mood: 'good' }
  const made = await call('POST', '/v3/policies', { token, body: { policy: wanted } })
  assert.equal(made.status, 201)
  const policy = made.body.policy
  assert.deepEqual({ ...policy, ...wanted }, policy)
  const url = `/v3/policies/${policy.id}`
  assert.deepEqual((await call('GET', url, { token })).body.policy, policy)
  const changed = await call('PATCH', url, { token, body: { policy: { blob: 'x' } } })
  assert.deepEqual(changed.body.policy, { ...policy, blob: 'x' })
  assert.equal((await call('PATCH', url, { token, body: { policy: {} } })).status, 400)
  assert.equal((await call('GET', '/v3/policies?type=application/json', { token })).body.policies.length, 1)
  assert.equal((await call('GET', '/v3/policies?type=other', { token })).body.policies.length, 0)
  assert.equal((await call('DELETE', url, { token })).status, 204)
  assert.equal((await call('GET', url, { token })).status, 404)
  assert.equal((await call('POST', '/v3/policies', { token, body: { policy: { type: 'x' } } })).status, 400)
})

test('a policy is put at an endpoint, a service or a region, and the nearest one holds', async (t) => {
  const { call, admin: token } = await startIdentity(t)
  const make = async (url: string, body: Record<string, object>) =>
    (await call('POST', url, { token, body })).body[Object.keys(body)[0]!].id as string
  const above = await make('/v3/regions', { region: { id: 'above' } })
  const below = await make('/v3/regions', { region: { id: 'below', parent_region_id: above } })
  const service = await make('/v3/services', { service: { type: 'weather' } })
  const endpoint = await make('/v3/endpoints', {
    endpoint: { service_id: service, region_id: below, interface: 'public', url: 'http://x' },
  })
  const ids = []
  for (const blob of ['1', '2', '3']) ids.push(await make('/v3/policies', { policy: { type: 't', blob } }))
  const [ofService, ofRegion, ofEndpoint] = ids
  const nearest = async () => {
    const { status, body } = await call('GET', `/v3/endpoints/${endpoint}/OS-ENDPOINT-POLICY/policy`, { token })
    return status === 200 ? body.policy.id : status
  }
  const at = (id: string | undefined, place: string) => `/v3/policies/${id}/OS-ENDPOINT-POLICY/${place}`
  assert.equal(await nearest(), 404)
  const places = [
    [ofService, `services/${service}`],
    [ofRegion, `services/${service}/regions/${above}`],
    [ofEndpoint, `endpoints/${endpoint}`],
  ] as const
  for (const [id, place] of places) {
    assert.equal((await call('GET', at(id, place), { token })).status, 404)
    assert.equal((await call('PUT', at(id, place), { token })).status, 204)
    assert.equal((await call('GET', at(id, place), { token })).status, 204)
    assert.equal(await nearest(), id)
    const { endpoints } = (await call('GET', at(id, 'endpoints'), { token })).body
    assert.deepEqual(
      endpoints.map((each: { id: string }) => each.id),
      [endpoint],
    )
  }
  assert.equal((await call('PUT', at(ofService, `endpoints/${endpoint}`), { token })).status, 204)
  assert.equal(await nearest(), ofService, 'a place has one policy: the later one')
  assert.equal((await call('DELETE', at(ofService, `endpoints/${endpoint}`), { token })).status, 204)
  assert.equal((await call('DELETE', `/v3/policies/${ofRegion}`, { token })).status, 204)
  assert.equal(await nearest(), ofService)
  assert.equal((await call('DELETE', `/v3/services/${service}`, { token })).status, 204)
  assert.equal((await call('PUT', at(ofService, 'services/none'), { token })).status, 404)
})
