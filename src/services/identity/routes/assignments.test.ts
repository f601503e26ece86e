import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'

/** Alice in group g, a project below another, and the ids of the seeded roles. */
async function world(t: TestContext) {
  const cloud = await startIdentity(t)
  const { call, admin: token } = cloud
  const make = async (plural: string, noun: string, wanted: object) =>
    (await call('POST', `/v3/${plural}`, { token, body: { [noun]: wanted } })).body[noun].id as string
  const alice = await make('users', 'user', { name: 'alice', password: 'a-secret' })
  const group = await make('groups', 'group', { name: 'g' })
  const top = await make('projects', 'project', { name: 'top' })
  const below = await make('projects', 'project', { name: 'below', parent_id: top })
  const { body } = await call('GET', '/v3/roles', { token })
  const roles = Object.fromEntries(body.roles.map((role: { name: string; id: string }) => [role.name, role.id]))
  const act = async (method: string, url: string) => (await call(method, `/v3/${url}`, { token })).status
  /** The roles of a token for the project; null when there is none to be had. */
  const rolesIn = async (name: string): Promise<string[] | null> => {
    const reply = await cloud.logIn('alice', 'a-secret', { project: { name, domain: { id: 'default' } } })
    return reply.status === 201 ? reply.body.token.roles.map((role: { name: string }) => role.name) : null
  }
  return { ...cloud, make, alice, group, top, below, roles, act, rolesIn }
}

test('roles come from grants, groups, inheritance and implication', async (t) => {
  const { act, alice, group, top, roles, rolesIn } = await world(t)
  assert.equal(await rolesIn('top'), null)
  assert.equal(await act('PUT', `projects/${top}/users/${alice}/roles/${roles.member}`), 204)
  assert.deepEqual(await rolesIn('top'), ['member', 'reader'])
  assert.equal(await rolesIn('below'), null)

  assert.equal(
    await act('PUT', `OS-INHERIT/projects/${top}/users/${alice}/roles/${roles.reader}/inherited_to_projects`),
    204,
  )
  assert.deepEqual(await rolesIn('below'), ['reader'])

  assert.equal(
    await act('PUT', `OS-INHERIT/domains/default/groups/${group}/roles/${roles.manager}/inherited_to_projects`),
    204,
  )
  assert.deepEqual(await rolesIn('below'), ['reader'])
  assert.equal(await act('PUT', `groups/${group}/users/${alice}`), 204)
  assert.deepEqual(await rolesIn('below'), ['manager', 'member', 'reader'])
  assert.deepEqual(await rolesIn('demo'), ['manager', 'member', 'reader'])
})

const ends: [what: string, url: (w: Awaited<ReturnType<typeof world>>) => [string, string, unknown?]][] = [
  ['the role is taken away', (w) => ['DELETE', `projects/${w.top}/users/${w.alice}/roles/${w.roles.member}`]],
  ['the user is switched off', (w) => ['PATCH', `users/${w.alice}`, { user: { enabled: false } }]],
  ['the user is deleted', (w) => ['DELETE', `users/${w.alice}`]],
  ['the password is set anew', (w) => ['PATCH', `users/${w.alice}`, { user: { password: 'another' } }]],
  [
    'the parent and the project are switched off',
    (w) => ['PATCH', `projects/${w.top}`, { project: { enabled: false } }],
  ],
  ['an implication is taken away', (w) => ['DELETE', `roles/${w.roles.member}/implies/${w.roles.reader}`]],
]
for (const [what, url] of ends)
  test(`a token dies at once in every process when ${what}`, async (t) => {
    const w = await world(t)
    const { createIdentity } = await import('../index.ts')
    const other = await createIdentity(w.ground) // another process on the same bus and database
    await other.start?.()
    t.after(() => other.stop?.())
    await w.act('DELETE', `projects/${w.below}`)
    await w.act('PUT', `projects/${w.top}/users/${w.alice}/roles/${w.roles.member}`)
    const token = await w.tokenOf('alice', 'a-secret', { project: { id: w.top } })
    for (const each of [w.identity, other]) assert.ok(each.authenticate(token, 'req-1'))
    const [method, path, body] = url(w)
    const reply = await w.call(method, `/v3/${path}`, { token: w.admin, ...(body ? { body } : {}) })
    assert.ok(reply.status < 300, JSON.stringify(reply.body))
    assert.equal(w.identity.authenticate(token, 'req-2'), null)
    await w.ground.bus.idle()
    assert.equal(other.authenticate(token, 'req-2'), null)
  })

const groupEnds: [what: string, path: (w: Awaited<ReturnType<typeof world>>) => string][] = [
  ['leaves it', (w) => `groups/${w.group}/users/${w.alice}`],
  ['loses it', (w) => `groups/${w.group}`],
  ['loses the role through it', (w) => `projects/${w.top}/groups/${w.group}/roles/${w.roles.member}`],
]
for (const [what, path] of groupEnds)
  test(`what a group gave is gone at once when the user ${what}`, async (t) => {
    const w = await world(t)
    await w.act('PUT', `groups/${w.group}/users/${w.alice}`)
    await w.act('PUT', `projects/${w.top}/groups/${w.group}/roles/${w.roles.member}`)
    const token = await w.tokenOf('alice', 'a-secret', { project: { id: w.top } })
    assert.equal(await w.act('DELETE', path(w)), 204)
    assert.equal(w.identity.authenticate(token, 'req-1'), null)
    assert.equal(await w.rolesIn('top'), null)
  })

test('a revocation that the bus lost is read from the table', async (t) => {
  const w = await world(t)
  const { createIdentity } = await import('../index.ts')
  const deaf = await createIdentity(w.ground)
  await w.act('PUT', `projects/${w.top}/users/${w.alice}/roles/${w.roles.member}`)
  const token = await w.tokenOf('alice', 'a-secret', { project: { id: w.top } })
  assert.equal(await w.act('DELETE', `users/${w.alice}`), 204)
  assert.ok(deaf.authenticate(token, 'req-1'))
  await deaf.loops[0]!.run(AbortSignal.timeout(5000))
  assert.equal(deaf.authenticate(token, 'req-1'), null)
  w.ground.clock.advanceMs(13 * 3_600_000)
  const result = await deaf.loops[0]!.run(AbortSignal.timeout(5000))
  assert.ok(result.forgotten! > 0)
})

test('other scopes of the same user live on when one role goes', async (t) => {
  const w = await world(t)
  await w.act('PUT', `projects/${w.top}/users/${w.alice}/roles/${w.roles.member}`)
  await w.act('PUT', `projects/${w.below}/users/${w.alice}/roles/${w.roles.member}`)
  const token = await w.tokenOf('alice', 'a-secret', { project: { id: w.below } })
  await w.act('DELETE', `projects/${w.top}/users/${w.alice}/roles/${w.roles.member}`)
  assert.ok(w.identity.authenticate(token, 'req-1'))
})

test('grants: check, list, revoke, on projects, domains and the system', async (t) => {
  const { act, alice, group, top, roles, call, admin: token } = await world(t)
  for (const place of [`projects/${top}`, 'domains/default', 'system'])
    for (const actor of [`users/${alice}`, `groups/${group}`]) {
      const url = `${place}/${actor}/roles/${roles.reader}`
      assert.equal(await act('HEAD', url), 404)
      assert.equal(await act('PUT', url), 204)
      assert.equal(await act('PUT', url), 204)
      assert.equal(await act('HEAD', url), 204)
      assert.equal(await act('GET', url), 204)
      const list = await call('GET', `/v3/${place}/${actor}/roles`, { token })
      assert.deepEqual(
        list.body.roles.map((role: { name: string }) => role.name),
        ['reader'],
      )
      assert.equal(await act('DELETE', url), 204)
      assert.equal(await act('DELETE', url), 404)
    }
  assert.equal(await act('PUT', `projects/${top}/users/nobody/roles/${roles.reader}`), 404)
  assert.equal(await act('PUT', `projects/nowhere/users/${alice}/roles/${roles.reader}`), 404)
  assert.equal(await act('PUT', `projects/${top}/users/${alice}/roles/nothing`), 404)
})

test('role assignments: as granted, effective, with names, filtered, of a subtree', async (t) => {
  const w = await world(t)
  const { act, alice, group, top, below, roles } = w
  await act('PUT', `groups/${group}/users/${alice}`)
  await act('PUT', `projects/${top}/groups/${group}/roles/${roles.member}`)
  await act('PUT', `OS-INHERIT/projects/${top}/users/${alice}/roles/${roles.reader}/inherited_to_projects`)
  const list = async (query: string) => {
    const reply = await w.call('GET', `/v3/role_assignments?${query}`, { token: w.admin })
    assert.equal(reply.status, 200, JSON.stringify(reply.body))
    return reply.body.role_assignments
  }
  assert.equal((await list(`group.id=${group}`)).length, 1)
  const [inherited] = await list(`user.id=${alice}`)
  assert.deepEqual(inherited, {
    scope: { project: { id: top }, 'OS-INHERIT:inherited_to': 'projects' },
    user: { id: alice },
    role: { id: roles.reader },
    links: {
      assignment: `http://localhost:80/v3/OS-INHERIT/projects/${top}/users/${alice}/roles/${roles.reader}/inherited_to_projects`,
    },
  })
  const effective = await list(`user.id=${alice}&effective`)
  const said = effective.map((each: { scope: { project: { id: string } }; role: { id: string } }) =>
    [
      each.scope.project.id === top ? 'top' : 'below',
      Object.keys(roles).find((name) => roles[name] === each.role.id),
    ].join(' '),
  )
  assert.deepEqual(said.sort(), ['below reader', 'top member', 'top reader'])
  const viaGroup = effective.find((each: { links: { membership?: string } }) => each.links.membership)
  assert.equal(viaGroup.links.membership, `http://localhost:80/v3/groups/${group}/users/${alice}`)
  const [named] = await list(`scope.project.id=${below}&effective&include_names`)
  assert.deepEqual(named.user, { id: alice, name: 'alice', domain: { id: 'default', name: 'Default' } })
  assert.equal(named.scope.project.name, 'below')
  assert.equal(named.role.name, 'reader')
  assert.equal((await list(`scope.project.id=${top}&include_subtree`)).length, 2)
  assert.equal((await list(`role.id=${roles.admin}`)).length, 2)
  assert.equal((await list('scope.system=all')).length, 1)
  for (const query of [
    'user.id=a&group.id=b',
    'scope.domain.id=a&scope.project.id=b',
    'effective&group.id=a',
    'include_subtree',
  ])
    assert.equal((await w.call('GET', `/v3/role_assignments?${query}`, { token: w.admin })).status, 400, query)
})

test('a domain’s own role gives what it implies, and is in no token itself', async (t) => {
  const w = await world(t)
  const own = await w.make('roles', 'role', { name: 'own', domain_id: 'default' })
  assert.equal(await w.act('PUT', `roles/${own}/implies/${w.roles.member}`), 201)
  assert.equal(await w.act('PUT', `roles/${w.roles.member}/implies/${own}`), 403)
  assert.equal(await w.act('PUT', `roles/${w.roles.member}/implies/${w.roles.admin}`), 403)
  assert.equal(await w.act('PUT', `projects/${w.top}/users/${w.alice}/roles/${own}`), 204)
  assert.deepEqual(await w.rolesIn('top'), ['member', 'reader'])
  const token = await w.tokenOf('alice', 'a-secret', { project: { id: w.top } })
  assert.equal(await w.act('DELETE', `projects/${w.top}/users/${w.alice}/roles/${own}`), 204)
  assert.equal(w.identity.authenticate(token, 'req-1'), null)
})

test('a log-in under way while the role is taken away gains nothing by it', async (t) => {
  const w = await world(t)
  const grant = `projects/${w.top}/users/${w.alice}/roles/${w.roles.member}`
  const again = { methods: ['token'], token: { id: await w.tokenOf('alice', 'a-secret', 'unscoped') } }
  const body = { auth: { identity: again, scope: { project: { id: w.top } } } }
  for (let round = 0; round < 20; round++) {
    await w.act('PUT', grant)
    const logIns = Array.from({ length: 4 }, () => w.call('POST', '/v3/auth/tokens', { body }))
    const [taken, ...replies] = await Promise.all([w.act('DELETE', grant), ...logIns])
    assert.equal(taken, 204)
    for (const reply of replies)
      if (reply.status === 201)
        assert.equal(w.identity.authenticate(String(reply.headers['x-subject-token']), 'req-1'), null)
  }
})
