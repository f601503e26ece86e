import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'

test('a domain has options of its own; what is sensitive is never shown', async (t) => {
  const { call, admin: token } = await startIdentity(t)
  const domain = (await call('POST', '/v3/domains', { token, body: { domain: { name: 'd1' } } })).body.domain
  const url = `/v3/domains/${domain.id}/config`
  const config = { identity: { driver: 'ldap' }, ldap: { url: 'ldap://x', password: 'hush', page_size: 7 } }
  const visible = { identity: { driver: 'ldap' }, ldap: { url: 'ldap://x', page_size: 7 } }
  assert.equal((await call('GET', url, { token })).status, 404)
  const made = await call('PUT', url, { token, body: { config } })
  assert.deepEqual([made.status, made.body], [201, { config: visible }])
  assert.equal((await call('PUT', url, { token, body: { config } })).status, 200)
  assert.deepEqual((await call('GET', url, { token })).body, { config: visible })
  assert.deepEqual((await call('GET', `${url}/ldap`, { token })).body, { config: { ldap: visible.ldap } })
  assert.deepEqual((await call('GET', `${url}/ldap/url`, { token })).body, { config: { url: 'ldap://x' } })
  assert.equal((await call('GET', `${url}/ldap/password`, { token })).status, 404)

  const one = await call('PATCH', `${url}/ldap/url`, { token, body: { config: { url: 'ldap://y' } } })
  assert.equal(one.body.config.ldap.url, 'ldap://y')
  const group = await call('PATCH', `${url}/ldap`, { token, body: { config: { ldap: { user: 'me' } } } })
  assert.deepEqual(group.body.config.ldap, { ...visible.ldap, url: 'ldap://y', user: 'me' })
  for (const [path, wrong] of [
    ['', {}],
    ['', { nonsense: { a: 1 } }],
    ['', { ldap: { nonsense: 1 } }],
    ['', { ldap: 7 }],
    ['/ldap', { identity: { driver: 'sql' } }],
    ['/ldap/url', { user: 'x' }],
  ] as const)
    assert.equal((await call('PATCH', `${url}${path}`, { token, body: { config: wrong } })).status, 403)
  const absent = { token, body: { config: { suffix: 'x' } } }
  assert.equal((await call('PATCH', `${url}/ldap/suffix`, absent)).status, 404)

  assert.equal((await call('DELETE', `${url}/ldap/url`, { token })).status, 204)
  assert.equal((await call('DELETE', `${url}/ldap/url`, { token })).status, 404)
  assert.equal((await call('DELETE', `${url}/identity`, { token })).status, 204)
  assert.equal((await call('DELETE', url, { token })).status, 204)
  assert.equal((await call('GET', url, { token })).status, 404)
})

test('what holds without options, and which password rules there are', async (t) => {
  const { call, admin: token } = await startIdentity(t)
  const whole = (await call('GET', '/v3/domains/config/default', { token })).body.config
  assert.deepEqual(Object.keys(whole), ['identity', 'ldap'])
  const ldap = (await call('GET', '/v3/domains/config/ldap/default', { token })).body.config
  assert.deepEqual(ldap, { ldap: whole.ldap })
  const one = (await call('GET', '/v3/domains/config/ldap/url/default', { token })).body.config
  assert.deepEqual(one, { url: whole.ldap.url })
  assert.equal((await call('GET', '/v3/domains/config/ldap/password/default', { token })).status, 403)
  const rules = await call('GET', '/v3/domains/default/config/security_compliance', { token })
  assert.deepEqual(rules.body.config.security_compliance, { password_regex: null, password_regex_description: null })
})
