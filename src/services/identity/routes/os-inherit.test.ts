import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'

test('inherited grants in all their forms: of users and groups, from projects and domains', async (t) => {
  const { call, admin: token, seeded } = await startIdentity(t)
  const group = (await call('POST', '/v3/groups', { token, body: { group: { name: 'g' } } })).body.group.id
  const role = (await call('GET', '/v3/roles?name=reader', { token })).body.roles[0].id
  const status = async (method: string, url: string) => (await call(method, `/v3/${url}`, { token })).status
  for (const place of [`projects/${seeded.demoProjectId}`, 'domains/default'])
    for (const actor of [`users/${seeded.demoUserId}`, `groups/${group}`]) {
      const list = `OS-INHERIT/${place}/${actor}/roles/inherited_to_projects`
      const one = `OS-INHERIT/${place}/${actor}/roles/${role}/inherited_to_projects`
      assert.equal(await status('HEAD', one), 404)
      assert.equal(await status('PUT', one), 204)
      assert.equal(await status('HEAD', one), 204)
      assert.equal(await status('GET', one), 204)
      const listed = (await call('GET', `/v3/${list}`, { token })).body.roles
      assert.deepEqual(
        listed.map((each: { id: string }) => each.id),
        [role],
      )
      assert.equal(await status('HEAD', `${place}/${actor}/roles/${role}`), 404) // the plain grant is another
      const query = 'role_assignments?scope.OS-INHERIT:inherited_to=projects'
      assert.equal((await call('GET', `/v3/${query}`, { token })).body.role_assignments.length, 1)
      assert.equal(await status('DELETE', one), 204)
      assert.equal(await status('DELETE', one), 404)
    }
})

test('what a role implies is listed', async (t) => {
  const { call, admin: token } = await startIdentity(t)
  const roles = (await call('GET', '/v3/roles', { token })).body.roles
  const idOf = (name: string) => roles.find((role: { name: string }) => role.name === name).id
  const { role_inference, links } = (await call('GET', `/v3/roles/${idOf('manager')}/implies`, { token })).body
  assert.equal(role_inference.prior_role.name, 'manager')
  assert.deepEqual(
    role_inference.implies.map((role: { name: string }) => role.name),
    ['member'],
  )
  assert.ok(links.self.endsWith(`/v3/roles/${idOf('manager')}/implies`))
  assert.equal((await call('GET', '/v3/roles/nothing/implies', { token })).status, 404)
})
