import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passwords, projectScope, startIdentity } from '../../../test/support/identity.ts'

const strict = { enforceScope: true, enforceNewDefaults: true }

/** An administrator of one project, of one domain, and of the system: what each gets for each call. */
async function personas(t: Parameters<typeof startIdentity>[0], config: object) {
  const cloud = await startIdentity(t, { config })
  const make = async (plural: string, noun: string, wanted: object) =>
    (await cloud.call('POST', `/v3/${plural}`, { token: cloud.admin, body: { [noun]: wanted } })).body[noun]
      .id as string
  const domain = await make('domains', 'domain', { name: 'd' })
  const project = await make('projects', 'project', { name: 'p' })
  const user = await make('users', 'user', { name: 'chief', password: 'a-secret' })
  const { body } = await cloud.call('GET', '/v3/roles?name=admin', { token: cloud.admin })
  for (const place of [`domains/${domain}`, `projects/${project}`, 'system']) {
    const url = `/v3/${place}/users/${user}/roles/${body.roles[0].id}`
    assert.equal((await cloud.call('PUT', url, { token: cloud.admin })).status, 204)
  }
  const scopes = {
    project: { project: { id: project } },
    domain: { domain: { id: domain } },
    system: { system: { all: true } },
  }
  const answers = async (method: string, url: string, body?: unknown): Promise<number[]> => {
    const all = []
    for (const scope of Object.values(scopes)) {
      const token = await cloud.tokenOf('chief', 'a-secret', scope)
      all.push((await cloud.call(method, url, { token, ...(body === undefined ? {} : { body }) })).status)
    }
    return all
  }
  return { ...cloud, domain, project, user, answers }
}

const newUser = (domain_id: string) => ({ user: { name: 'somebody', domain_id } })

test('as it starts, whoever is admin somewhere administers the cloud', async (t) => {
  const { answers, domain, project } = await personas(t, {})
  assert.deepEqual(await answers('GET', '/v3/services'), [200, 403, 200])
  assert.deepEqual(await answers('POST', '/v3/users', newUser(domain)), [201, 409, 409])
  assert.deepEqual(await answers('GET', `/v3/projects/${project}`), [200, 200, 200])
})

test('with both switches, each administers what the token is scoped to', async (t) => {
  const { answers, domain, project, user, call, admin } = await personas(t, strict)
  assert.deepEqual(await answers('GET', '/v3/services'), [403, 403, 200])
  assert.deepEqual(await answers('GET', '/v3/domains'), [403, 403, 200])
  assert.deepEqual(await answers('POST', '/v3/users', newUser(domain)), [403, 201, 409])
  assert.deepEqual(await answers('GET', `/v3/projects/${project}`), [200, 403, 200])
  assert.deepEqual(await answers('GET', `/v3/users/${user}`), [200, 200, 200])
  assert.deepEqual(await answers('PUT', `/v3/projects/${project}/tags/blue`), [201, 403, 201])
  const subtree = `/v3/role_assignments?include_subtree&scope.project.id=${project}`
  assert.deepEqual(await answers('GET', subtree), [200, 403, 200])
  assert.equal((await call('GET', '/v3/services', { token: admin })).status, 200)
})

test('without an admin project, only the system’s administrators are the cloud’s', async (t) => {
  const { call, tokenOf } = await startIdentity(t, { config: { ...strict, adminProject: '' } })
  const inProject = await tokenOf('admin', passwords.adminPassword, projectScope('admin'))
  const inSystem = await tokenOf('admin', passwords.adminPassword, { system: { all: true } })
  assert.equal((await call('GET', '/v3/users', { token: inProject })).status, 403)
  assert.equal((await call('GET', '/v3/users', { token: inSystem })).status, 200)
})
