import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'

test('Object Storage’s old log-in gives a token and the way to the project’s store', async (t) => {
  const { call, admin: token, identity } = await startIdentity(t)
  const logIn = (headers: object) => call('GET', '/auth/v1.0', { headers })
  const right = { 'x-auth-user': 'demo:demo', 'x-auth-key': 'demo-secret' }
  assert.equal((await logIn(right)).status, 404, 'there is no store yet')
  const { service } = (await call('POST', '/v3/services', { token, body: { service: { type: 'object-store' } } })).body
  const url = 'http://192.0.2.1:8080/v1/AUTH_$(project_id)s'
  const endpoint = { service_id: service.id, interface: 'public', url }
  assert.equal((await call('POST', '/v3/endpoints', { token, body: { endpoint } })).status, 201)

  for (const headers of [right, { 'x-storage-user': 'demo:demo', 'x-storage-pass': 'demo-secret' }]) {
    const entered = await logIn(headers)
    assert.equal(entered.status, 200)
    const ctx = identity.authenticate(String(entered.headers['x-auth-token']), 'req-1')
    assert.equal(ctx?.projectName, 'demo')
    assert.equal(entered.headers['x-storage-token'], entered.headers['x-auth-token'])
    assert.equal(entered.headers['x-storage-url'], `http://192.0.2.1:8080/v1/AUTH_${ctx?.projectId}`)
    assert.ok(Number(entered.headers['x-auth-token-expires']) > 3600)
  }
  for (const wrong of [
    { ...right, 'x-auth-key': 'another' },
    { ...right, 'x-auth-user': 'admin:demo' },
    { ...right, 'x-auth-user': 'demo' },
    {},
  ])
    assert.equal((await logIn(wrong)).status, 401)
})

test('it goes with the other old log-in', async (t) => {
  const { call, admin: token } = await startIdentity(t, { config: { identityV2: false } })
  assert.equal((await call('GET', '/auth/v1.0', { token })).status, 404)
})
