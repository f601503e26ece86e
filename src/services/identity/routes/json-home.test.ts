import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'
import { wantsJsonHome } from './json-home.ts'
import { core, extensions } from './json-home-resources.ts'

const base = 'https://docs.openstack.org/api/openstack-identity/3'
const accept = 'application/json-home'

test('JSON Home names what is served, with the relations of its parameters', async (t) => {
  const { call } = await startIdentity(t)
  const below = await call('GET', '/v3', { headers: { accept } })
  assert.equal(below.status, 200)
  assert.match(String(below.headers['content-type']), /^application\/json-home/)
  const { resources } = below.body
  assert.deepEqual(resources[`${base}/rel/users`], { href: '/users' })
  assert.deepEqual(resources[`${base}/rel/implied_role`], {
    'href-template': '/roles/{prior_role_id}/implies/{implied_role_id}',
    'href-vars': { prior_role_id: `${base}/param/role_id`, implied_role_id: `${base}/param/role_id` },
  })
  assert.deepEqual(resources[`${base}/ext/OS-OAUTH1/1.0/rel/consumer`], {
    'href-template': '/OS-OAUTH1/consumers/{consumer_id}',
    'href-vars': { consumer_id: `${base}/ext/OS-OAUTH1/1.0/param/consumer_id` },
  })
  assert.deepEqual(resources[`${base}/rel/limit_model`], { href: '/limits/model', hints: { status: 'experimental' } })
  const known = Object.keys(core).length + Object.values(extensions).flatMap((each) => Object.keys(each)).length
  assert.equal(Object.keys(resources).length, known, 'nothing that is named is lacking')

  const above = await call('GET', '/', { headers: { accept } })
  assert.equal(above.status, 200)
  assert.deepEqual(above.body.resources[`${base}/rel/users`], { href: '/v3/users' })
  assert.equal((await call('GET', '/')).status, 300)
})

test('who asks for JSON gets JSON', () => {
  for (const plain of [undefined, '*/*', 'application/json', 'application/json, application/json-home;q=0.5'])
    assert.equal(wantsJsonHome(plain), false)
  for (const home of [accept, 'application/json;q=0.5, application/json-home', `${accept};q=0.1`])
    assert.equal(wantsJsonHome(home), true)
})
