import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passwords, projectScope, startIdentity, type TestIdentity } from '../../../../test/support/identity.ts'

/** Creates with the administrator's token; the member of the answer. */
async function make(cloud: TestIdentity, url: string, body: Record<string, object>) {
  const reply = await cloud.call('POST', url, { token: cloud.admin, body })
  assert.equal(reply.status, 201, JSON.stringify(reply.body))
  return reply.body[Object.keys(body)[0]!]
}

const nouns: [plural: string, noun: string, wanted: Record<string, unknown>, change: Record<string, unknown>][] = [
  ['domains', 'domain', { name: 'd1', enabled: false }, { description: 'changed' }],
  ['projects', 'project', { name: 'p1', description: 'one', mood: 'good' }, { name: 'p2', mood: 'better' }],
  ['users', 'user', { name: 'u1', password: 'secret', email: 'u1@example.org' }, { enabled: false, email: null }],
  ['groups', 'group', { name: 'g1' }, { description: 'changed', colour: 'red' }],
  ['roles', 'role', { name: 'r1' }, { name: 'r2', description: 'changed' }],
  ['services', 'service', { type: 't1', name: 's1' }, { name: 's2', enabled: false }],
  ['regions', 'region', { id: 'somewhere' }, { description: 'changed' }],
]
for (const [plural, noun, wanted, change] of nouns)
  test(`${plural}: create, show, change, list, delete; attributes unknown to the API are kept`, async (t) => {
    const cloud = await startIdentity(t)
    const { call, admin: token } = cloud
    const made = await make(cloud, `/v3/${plural}`, { [noun]: wanted })
    const { password, ...visible } = wanted
    assert.deepEqual({ ...made, ...visible }, made)
    assert.equal(made.links.self, `http://localhost:80/v3/${plural}/${made.id}`)
    assert.equal('password' in made, false)
    const url = `/v3/${plural}/${made.id}`
    assert.deepEqual((await call('GET', url, { token })).body[noun], made)
    const changed = await call('PATCH', url, { token, body: { [noun]: change } })
    assert.equal(changed.status, 200)
    assert.deepEqual(changed.body[noun], { ...made, ...change })
    const list = await call('GET', `/v3/${plural}`, { token })
    assert.ok(list.body[plural].some((each: { id: string }) => each.id === made.id))
    assert.deepEqual(list.body.links, { self: `http://localhost:80/v3/${plural}`, next: null, previous: null })
    assert.equal((await call('PATCH', url, { token, body: { [noun]: { id: 'other' } } })).status, 400)
    assert.equal((await call('DELETE', url, { token })).status, 204)
    const gone = await call('GET', url, { token })
    assert.equal(gone.status, 404)
    assert.equal(gone.body.error.message, `Could not find ${noun}: ${made.id}.`)
    assert.equal((await call('DELETE', url, { token })).status, 404)
  })

for (const [plural, noun] of nouns.slice(0, 5))
  test(`two ${plural} of one name in one place are refused, also by a change of name`, async (t) => {
    const cloud = await startIdentity(t)
    const { call, admin: token } = cloud
    await make(cloud, `/v3/${plural}`, { [noun]: { name: 'same' } })
    const again = await call('POST', `/v3/${plural}`, { token, body: { [noun]: { name: 'same' } } })
    assert.equal(again.status, 409)
    assert.equal(again.body.error.title, 'Conflict')
    const other = await make(cloud, `/v3/${plural}`, { [noun]: { name: 'other' } })
    const body = { [noun]: { name: 'same' } }
    assert.equal((await call('PATCH', `/v3/${plural}/${other.id}`, { token, body })).status, 409)
  })

const bad: [url: string, body: object][] = [
  ['/v3/projects', {}],
  ['/v3/projects', { project: {} }],
  ['/v3/projects', { project: { name: '' } }],
  ['/v3/projects', { project: { name: '   ' } }],
  ['/v3/projects', { project: { name: 'x'.repeat(65) } }],
  ['/v3/projects', { project: { name: 'x', enabled: 'yes' } }],
  ['/v3/projects', { project: { name: 'x', domain_id: 'nowhere' } }],
  ['/v3/projects', { project: { name: 'x', parent_id: 'nobody' } }],
  ['/v3/projects', { project: { name: 'x', tags: ['a,b'] } }],
  ['/v3/projects', { project: { name: 'x', is_domain: true, parent_id: 'default' } }],
  ['/v3/domains', { domain: { name: 'x', explicit_domain_id: 'short' } }],
  ['/v3/users', { user: { name: 7 } }],
  ['/v3/users', { user: { name: 'x'.repeat(300) } }],
  ['/v3/users', { user: { name: 'x', password: 7 } }],
  ['/v3/users', { user: { name: 'x', default_project_id: 'default' } }],
  ['/v3/endpoints', { endpoint: { service_id: 'none', interface: 'public', url: 'http://x' } }],
  ['/v3/endpoints', { endpoint: { service_id: 'none', interface: 'secret', url: 'http://x' } }],
  ['/v3/endpoints', { endpoint: { service_id: 'none', interface: 'public', url: 'nonsense' } }],
]
test('what does not fit is 400 and says why', async (t) => {
  const { call, admin: token } = await startIdentity(t)
  for (const [url, body] of bad) {
    const reply = await call('POST', url, { token, body })
    assert.equal(reply.status, 400, JSON.stringify(body))
    assert.ok(reply.body.error.message.length > 10)
  }
})

test('filters: by name, part of a name, flag, tags; pages by marker and limit', async (t) => {
  const cloud = await startIdentity(t)
  for (const [name, tags] of [
    ['red-1', ['a', 'b']],
    ['red-2', ['b']],
    ['blue%_1', []],
    ['Red-3', ['a']],
  ] as const)
    await make(cloud, '/v3/projects', { project: { name, tags, enabled: name !== 'red-2' } })
  const names = async (query: string) => {
    const { body } = await cloud.call('GET', `/v3/projects?${query}`, { token: cloud.admin })
    return body.projects
      .map((project: { name: string }) => project.name)
      .filter((name: string) => !['admin', 'demo', 'service'].includes(name))
      .sort()
  }
  assert.deepEqual(await names('name=red-1'), ['red-1'])
  assert.deepEqual(await names('name__startswith=red'), ['red-1', 'red-2'])
  assert.deepEqual(await names('name__istartswith=red'), ['Red-3', 'red-1', 'red-2'])
  assert.deepEqual(await names('name__contains=%25_'), ['blue%_1'])
  assert.deepEqual(await names('name__endswith=1'), ['blue%_1', 'red-1'])
  assert.deepEqual(await names('enabled=False'), ['red-2'])
  assert.deepEqual(await names('tags=a,b'), ['red-1'])
  assert.deepEqual(await names('tags-any=a,b'), ['Red-3', 'red-1', 'red-2'])
  assert.deepEqual(await names('not-tags=a,b&name__contains=ed-'), ['Red-3', 'red-2'])
  assert.deepEqual(await names('not-tags-any=b&name__contains=ed-'), ['Red-3'])
  assert.deepEqual(await names('unheard_of=1&name=red-1'), ['red-1'])

  const seen: string[] = []
  let url: string | null = '/v3/projects?limit=3'
  while (url) {
    const { body }: { body: { projects: { id: string }[]; links: { next: string | null } } } = await cloud.call(
      'GET',
      url,
      { token: cloud.admin },
    )
    assert.ok(body.projects.length <= 3)
    seen.push(...body.projects.map((project) => project.id))
    url = body.links.next
  }
  assert.equal(new Set(seen).size, 7)
  assert.equal(seen.length, 7)
  assert.equal((await cloud.call('GET', '/v3/projects?limit=x', { token: cloud.admin })).status, 400)
})

test('a tree of projects: parents, subtree, depth, and who may be switched off or deleted', async (t) => {
  const cloud = await startIdentity(t)
  const { call, admin: token } = cloud
  const ids: string[] = []
  for (let i = 0; i < 4; i++) {
    const parent = ids.at(-1)
    const project = await make(cloud, '/v3/projects', {
      project: { name: `p${i}`, ...(parent ? { parent_id: parent } : {}) },
    })
    ids.push(project.id)
  }
  const [top, second, third, fourth] = ids as [string, string, string, string]
  const tooDeep = await call('POST', '/v3/projects', { token, body: { project: { name: 'p5', parent_id: fourth } } })
  assert.equal(tooDeep.status, 403)
  const get = async (id: string, query: string) =>
    (await call('GET', `/v3/projects/${id}?${query}`, { token })).body.project
  assert.deepEqual((await get(third, 'parents_as_ids')).parents, { [second]: { [top]: { default: null } } })
  assert.deepEqual((await get(second, 'subtree_as_ids')).subtree, { [third]: { [fourth]: null } })
  assert.deepEqual(
    (await get(third, 'parents_as_list')).parents.map((each: { project: { id: string } }) => each.project.id),
    [second, top],
  )
  assert.equal((await get(top, 'subtree_as_list')).subtree.length, 3)
  const set = async (id: string, enabled: boolean) =>
    (await call('PATCH', `/v3/projects/${id}`, { token, body: { project: { enabled } } })).status
  assert.equal(await set(third, false), 403)
  assert.equal(await set(fourth, false), 200)
  assert.equal(await set(third, false), 200)
  assert.equal(await set(fourth, true), 403)
  assert.equal((await call('DELETE', `/v3/projects/${third}`, { token })).status, 403)
  const moved = await call('PATCH', `/v3/projects/${fourth}`, { token, body: { project: { parent_id: top } } })
  assert.equal(moved.status, 403)
})

test('a domain goes only when switched off, and takes everything in it along', async (t) => {
  const cloud = await startIdentity(t)
  const { call, admin: token, ground } = cloud
  const deleted: unknown[] = []
  ground.bus.subscribe('event.identity.projects-deleted', (message) => void deleted.push(message))
  const domain = await make(cloud, '/v3/domains', { domain: { name: 'd1' } })
  const inside = { domain_id: domain.id }
  const project = await make(cloud, '/v3/projects', { project: { name: 'p', ...inside } })
  const user = await make(cloud, '/v3/users', { user: { name: 'u', ...inside } })
  const group = await make(cloud, '/v3/groups', { group: { name: 'g', ...inside } })
  const role = await make(cloud, '/v3/roles', { role: { name: 'r', ...inside } })
  await call('PUT', `/v3/projects/${project.id}/users/${user.id}/roles/${role.id}`, { token })
  assert.equal((await call('DELETE', `/v3/domains/${domain.id}`, { token })).status, 403)
  await call('PATCH', `/v3/domains/${domain.id}`, { token, body: { domain: { enabled: false } } })
  assert.equal((await call('DELETE', `/v3/domains/${domain.id}`, { token })).status, 204)
  for (const url of [`projects/${project.id}`, `users/${user.id}`, `groups/${group.id}`, `roles/${role.id}`])
    assert.equal((await call('GET', `/v3/${url}`, { token })).status, 404, url)
  await ground.bus.idle()
  assert.deepEqual(deleted, [{ projectIds: [project.id, domain.id] }])
  assert.equal((await call('GET', `/v3/domains/${cloud.seeded.demoProjectId}`, { token })).status, 404)
})

test('tags of a project one by one', async (t) => {
  const { call, admin: token, seeded } = await startIdentity(t)
  const url = `/v3/projects/${seeded.demoProjectId}/tags`
  assert.equal((await call('PUT', `${url}/a%20b`, { token })).status, 201)
  assert.equal((await call('PUT', `${url}/c`, { token })).status, 201)
  assert.deepEqual((await call('GET', url, { token })).body.tags, ['a b', 'c'])
  assert.equal((await call('GET', `${url}/c`, { token })).status, 204)
  assert.equal((await call('GET', `${url}/d`, { token })).status, 404)
  assert.equal((await call('DELETE', `${url}/c`, { token })).status, 204)
  assert.deepEqual((await call('PUT', url, { token, body: { tags: ['x'] } })).body.tags, ['x'])
  assert.equal((await call('DELETE', url, { token })).status, 204)
  assert.deepEqual((await call('GET', url, { token })).body.tags, [])
})

test('services, endpoints and regions hang together', async (t) => {
  const cloud = await startIdentity(t)
  const { call, admin: token } = cloud
  const service = await make(cloud, '/v3/services', { service: { type: 'compute', name: 'nova' } })
  const endpoint = await make(cloud, '/v3/endpoints', {
    endpoint: { service_id: service.id, interface: 'public', url: 'http://x/$(project_id)s', region: 'R2' },
  })
  assert.equal(endpoint.region_id, 'R2')
  const child = await call('PUT', '/v3/regions/R3', { token, body: { region: { parent_region_id: 'R2' } } })
  assert.equal(child.status, 201)
  assert.equal((await call('DELETE', '/v3/regions/R2', { token })).status, 403)
  const circle = { region: { parent_region_id: 'R3' } }
  assert.equal((await call('PATCH', '/v3/regions/R2', { token, body: circle })).status, 400)
  const found = await call('GET', `/v3/endpoints?interface=public&service_id=${service.id}`, { token })
  assert.equal(found.body.endpoints.length, 1)
  assert.equal((await call('DELETE', `/v3/services/${service.id}`, { token })).status, 204)
  assert.equal((await call('GET', `/v3/endpoints/${endpoint.id}`, { token })).status, 404)
})

test('a user changes their own password, and is logged out by it', async (t) => {
  const { call, seeded, tokenOf, logIn, identity } = await startIdentity(t)
  const token = await tokenOf('demo', passwords.demoPassword, projectScope('demo'))
  const url = `/v3/users/${seeded.demoUserId}/password`
  const change = (original_password: string, password: string) =>
    call('POST', url, { body: { user: { original_password, password } } })
  assert.equal((await change('wrong', 'new')).status, 401)
  assert.equal((await change(passwords.demoPassword, passwords.demoPassword)).status, 400)
  assert.ok(identity.authenticate(token, 'req-1'))
  assert.equal((await change(passwords.demoPassword, 'new')).status, 204)
  assert.equal(identity.authenticate(token, 'req-1'), null)
  assert.equal((await logIn('demo', passwords.demoPassword)).status, 401)
  assert.equal((await logIn('demo', 'new')).status, 201)
})

test('the roles that policies stand on are immutable until told otherwise', async (t) => {
  const { call, admin: token } = await startIdentity(t)
  const { body } = await call('GET', '/v3/roles?name=member', { token })
  const url = `/v3/roles/${body.roles[0].id}`
  assert.equal((await call('DELETE', url, { token })).status, 403)
  assert.equal((await call('PATCH', url, { token, body: { role: { name: 'x' } } })).status, 403)
  const off = await call('PATCH', url, { token, body: { role: { options: { immutable: false } } } })
  assert.equal(off.status, 200)
  assert.equal((await call('DELETE', url, { token })).status, 204)
})

test('routes refuse a caller without a token', async (t) => {
  const { identity } = await startIdentity(t)
  for (const url of [
    'users',
    'projects',
    'domains',
    'groups',
    'roles',
    'role_assignments',
    'services',
    'endpoints',
    'regions',
    'auth/projects',
    'role_inferences',
    'system/users/x/roles',
  ])
    assert.equal((await identity.app!.inject(`/v3/${url}`)).statusCode, 401, url)
})

test('a plain member may look at themselves and their project, and at nothing else', async (t) => {
  const { call, seeded, tokenOf } = await startIdentity(t)
  const token = await tokenOf('demo', passwords.demoPassword, projectScope('demo'))
  const status = async (method: string, url: string, body?: unknown) =>
    (await call(method, `/v3/${url}`, { token, ...(body ? { body } : {}) })).status
  assert.equal(await status('GET', `users/${seeded.demoUserId}`), 200)
  assert.equal(await status('GET', `projects/${seeded.demoProjectId}`), 200)
  assert.equal(await status('GET', `users/${seeded.demoUserId}/projects`), 200)
  assert.equal(await status('GET', 'domains/default'), 200)
  assert.equal(await status('GET', 'regions'), 200)
  for (const url of ['users', 'projects', 'domains', 'groups', 'roles', 'role_assignments', 'services', 'endpoints'])
    assert.equal(await status('GET', url), 403, url)
  assert.equal(await status('GET', `users/${seeded.adminUserId}`), 403)
  assert.equal(await status('GET', 'users/nobody'), 403)
  assert.equal(await status('POST', 'projects', { project: { name: 'x' } }), 403)
  assert.equal(await status('PATCH', `users/${seeded.demoUserId}`, { user: { enabled: true } }), 403)
  const said = await call('GET', '/v3/users', { token })
  assert.deepEqual(said.body.error, {
    code: 403,
    title: 'Forbidden',
    message: 'You are not authorized to perform the requested action: identity:list_users.',
  })
})
