import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'

test('revocation events tell of what ends tokens, since a moment, to services and administrators', async (t) => {
  const { call, admin, tokenOf, ground } = await startIdentity(t)
  const demo = await tokenOf('demo', 'demo-secret')
  const events = async (query = '', token = admin) => call('GET', `/v3/OS-REVOKE/events${query}`, { token })
  assert.deepEqual((await events()).body.events, [])
  assert.equal((await events('', demo)).status, 403)
  const { body } = await call('GET', '/v3/auth/tokens', { token: demo, headers: { 'x-subject-token': demo } })
  await call('DELETE', '/v3/auth/tokens', { token: admin, headers: { 'x-subject-token': demo } })
  const [first] = (await events()).body.events
  assert.equal(first.audit_id, body.token.audit_ids[0])
  assert.match(first.issued_before, /^\d{4}-\d\d-\d\dT/)

  ground.clock.advanceMs(60_000)
  const since = encodeURIComponent(ground.clock.now())
  const { user } = body.token
  const off = { user: { enabled: false } }
  assert.equal((await call('PATCH', `/v3/users/${user.id}`, { token: admin, body: off })).status, 200)
  const later = (await events(`?since=${since}`)).body.events
  assert.deepEqual(
    later.map((event: { user_id?: string }) => event.user_id),
    [user.id],
  )
  assert.equal((await events('?since=yesterday')).status, 400)
})
