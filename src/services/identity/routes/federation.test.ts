import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'

const federation = {
  trustedProxies: '127.0.0.1',
  proxySecret: 'between-proxy-and-us',
  headerPrefix: 'X-Federation-',
  remoteIdAttribute: 'OIDC-iss',
  trustedDashboards: 'https://dashboard.example.org/auth/websso/',
}
const place = '/v3/OS-FEDERATION/identity_providers/acme'
const rules = [
  {
    local: [
      { user: { name: '{0}', email: '{1}' } },
      { groups: '{2}', domain: { name: 'Default' } },
      { projects: [{ name: 'home of {0}', roles: [{ name: 'member' }] }] },
    ],
    remote: [{ type: 'HTTP_OIDC_SUB' }, { type: 'OIDC-email' }, { type: 'OIDC-groups' }],
  },
]

/** A provider `acme` whose people in group `staff` are readers of project `p`. */
async function world(t: TestContext, settings: object = {}, idp: object = {}) {
  const cloud = await startIdentity(t, { config: { federation: { ...federation, ...settings } } })
  const { call, admin: token } = cloud
  const done = async (method: string, url: string, body?: object) => {
    const reply = await call(method, url, { token, ...(body ? { body } : {}) })
    assert.ok(reply.status < 300, `${method} ${url}: ${JSON.stringify(reply.body)}`)
    return reply.body
  }
  const provider = { enabled: true, remote_ids: ['https://idp.acme.org'], ...idp }
  const { identity_provider } = await done('PUT', place, { identity_provider: provider })
  await done('PUT', '/v3/OS-FEDERATION/mappings/m', { mapping: { rules } })
  await done('PUT', `${place}/protocols/openid`, { protocol: { mapping_id: 'm' } })
  const group = (await done('POST', '/v3/groups', { group: { name: 'staff' } })).group.id as string
  const project = (await done('POST', '/v3/projects', { project: { name: 'p' } })).project.id as string
  const reader = (await done('GET', '/v3/roles?name=reader')).roles[0].id as string
  const grant = `/v3/projects/${project}/groups/${group}/roles/${reader}`
  await done('PUT', grant)
  const headers = {
    'X-Federation-Secret': federation.proxySecret,
    'X-Federation-OIDC-iss': 'https://idp.acme.org',
    'X-Federation-OIDC-sub': 'carol',
    'X-Federation-OIDC-email': 'carol@acme.org',
    'X-Federation-OIDC-groups': 'staff;others',
  }
  const arrive = (other: Record<string, string> = {}) =>
    call('GET', `${place}/protocols/openid/auth`, { headers: { ...headers, ...other } })
  const scoped = (unscoped: string, id: string) => {
    const identity = { methods: ['token'], token: { id: unscoped } }
    return call('POST', '/v3/auth/tokens', { body: { auth: { identity, scope: { project: { id } } } } })
  }
  /** Arrives, and works in `p`. */
  const working = async (): Promise<{ unscoped: string; token: string }> => {
    const unscoped = String((await arrive()).headers['x-subject-token'])
    return { unscoped, token: String((await scoped(unscoped, project)).headers['x-subject-token']) }
  }
  const alive = async (token: string) => (await call('GET', '/v3/auth/projects', { token })).status === 200
  return { ...cloud, done, idp: identity_provider, group, project, grant, headers, arrive, scoped, working, alive }
}

test('who comes from elsewhere gets an account, a token that says so, and the rights of groups and mapping', async (t) => {
  const { arrive, scoped, idp, group, project, call, done } = await world(t)
  const first = await arrive()
  assert.equal(first.status, 201)
  const { user, methods } = first.body.token
  assert.deepEqual(methods, ['openid'])
  assert.equal(user.name, 'carol')
  assert.equal(user.domain.id, idp.domain_id)
  assert.deepEqual(user['OS-FEDERATION'], {
    groups: [{ id: group, name: 'staff' }],
    identity_provider: { id: 'acme' },
    protocol: { id: 'openid' },
  })
  assert.ok(!('password_expires_at' in user))
  assert.equal((await arrive()).body.token.user.id, user.id)
  assert.equal((await done('GET', `/v3/users/${user.id}`)).user.email, 'carol@acme.org')

  const token = String(first.headers['x-subject-token'])
  for (const url of ['/v3/auth/projects', '/v3/OS-FEDERATION/projects']) {
    const { projects } = (await call('GET', url, { token })).body
    assert.deepEqual(projects.map((each: { name: string }) => each.name).sort(), ['home of carol', 'p'])
  }
  const inProject = await scoped(token, project)
  assert.equal(inProject.status, 201)
  assert.deepEqual(
    inProject.body.token.roles.map((role: { name: string }) => role.name),
    ['reader'],
  )
  assert.deepEqual(inProject.body.token.methods, ['token', 'openid'])
  assert.equal(inProject.body.token.expires_at, first.body.token.expires_at)
  assert.ok(inProject.body.token.user['OS-FEDERATION'])
})

const refused: [what: string, headers: Record<string, string>, settings: object, status: number][] = [
  ['without the secret', { 'X-Federation-Secret': '' }, {}, 401],
  ['with another secret', { 'X-Federation-Secret': 'between-proxy-and-u$' }, {}, 401],
  ['from another address', {}, { trustedProxies: '192.0.2.1, 192.0.2.2' }, 401],
  ['where nobody is trusted', {}, { trustedProxies: '', proxySecret: '' }, 401],
  ['for another provider', { 'X-Federation-OIDC-iss': 'https://evil.org' }, {}, 403],
  ['without an attribute that the rules ask for', { 'X-Federation-OIDC-email': '' }, {}, 401],
]
for (const [what, headers, settings, status] of refused)
  test(`an assertion ${what} is refused`, async (t) => {
    const { arrive, done } = await world(t, settings)
    const reply = await arrive(headers)
    assert.deepEqual([reply.status, reply.headers['x-subject-token']], [status, undefined])
    const { users } = await done('GET', '/v3/users?name=carol')
    assert.deepEqual(users, [])
  })

test('the address alone, or the secret alone, is enough when only that is set', async (t) => {
  const byAddress = await world(t, { proxySecret: '' })
  assert.equal((await byAddress.arrive({ 'X-Federation-Secret': '' })).status, 201)
  const bySecret = await world(t, { trustedProxies: '' })
  assert.equal((await bySecret.arrive()).status, 201)
})

const ends: [what: string, url: (w: Awaited<ReturnType<typeof world>>) => [string, string, object?]][] = [
  ['the provider is switched off', () => ['PATCH', place, { identity_provider: { enabled: false } }]],
  ['the provider is deleted', () => ['DELETE', place]],
  ['the protocol is deleted', () => ['DELETE', `${place}/protocols/openid`]],
  ['the group is deleted', (w) => ['DELETE', `/v3/groups/${w.group}`]],
  ['the group loses the role', (w) => ['DELETE', w.grant]],
]
for (const [what, change] of ends)
  test(`its tokens die when ${what}`, async (t) => {
    const cloud = await world(t)
    const { unscoped, token } = await cloud.working()
    assert.ok(await cloud.alive(token))
    await cloud.done(...change(cloud))
    assert.ok(!(await cloud.alive(token)))
    assert.notEqual((await cloud.scoped(unscoped, cloud.project)).status, 201)
  })

test('memberships that are given for a time end with it, and the tokens that rest on them', async (t) => {
  const { working, alive, identity, ground, done, group } = await world(t, {}, { authorization_ttl: 10 })
  const members = async () => (await done('GET', `/v3/groups/${group}/users`)).users.length as number
  const { token } = await working()
  const loop = identity.loops.find(({ name }) => name === 'identity.memberships')!
  ground.clock.advanceMs(9 * 60_000)
  await loop.run(new AbortController().signal)
  assert.deepEqual([await members(), await alive(token)], [1, true])
  ground.clock.advanceMs(2 * 60_000)
  await loop.run(new AbortController().signal)
  assert.deepEqual([await members(), await alive(token)], [0, false])
})

test('a mapping may stand for a local user', async (t) => {
  const { arrive, done, seeded } = await world(t)
  const local = [{ user: { name: '{0}', domain: { id: 'default' }, type: 'local' } }]
  const mapping = { rules: [{ local, remote: [{ type: 'OIDC-sub' }] }] }
  await done('PATCH', '/v3/OS-FEDERATION/mappings/m', { mapping })
  const reply = await arrive({ 'X-Federation-OIDC-sub': 'demo' })
  assert.equal(reply.status, 201, JSON.stringify(seeded))
  assert.equal(reply.body.token.user.domain.id, 'default')
  assert.ok(!('OS-FEDERATION' in reply.body.token.user))
  assert.equal((await arrive({ 'X-Federation-OIDC-sub': 'no-such-user' })).status, 401)
})

test('a browser is handed on to a dashboard that is trusted, and to no other', async (t) => {
  const { headers, identity } = await world(t)
  const go = (path: string, origin: string) =>
    identity.app!.inject({ url: `/v3/auth/OS-FEDERATION/${path}?origin=${encodeURIComponent(origin)}`, headers })
  for (const path of ['websso/openid', 'identity_providers/acme/protocols/openid/websso']) {
    const page = await go(path, federation.trustedDashboards)
    assert.equal(page.statusCode, 200)
    assert.match(page.body, /action="https:\/\/dashboard\.example\.org\/auth\/websso\/" method="post"/)
    assert.match(page.body, /name="token" value="[\w-]+"/)
    assert.equal((await go(path, 'https://evil.org/')).statusCode, 401)
  }
})

const bad: [what: string, mapping: object][] = [
  ['no rules', {}],
  ['no rule', { rules: [] }],
  ['a rule without remote', { rules: [{ local: [] }] }],
  ['a condition too many', { rules: [{ local: [], remote: [{ type: 'a', any_one_of: [], whitelist: [] }] }] }],
  ['a regex that is none', { rules: [{ local: [], remote: [{ type: 'a', any_one_of: ['('], regex: true }] }] }],
  ['a key that nobody knows', { rules: [{ local: [{ usr: {} }], remote: [{ type: 'a' }] }] }],
]
for (const [what, mapping] of bad)
  test(`a mapping with ${what} is 400`, async (t) => {
    const { call, admin } = await startIdentity(t)
    const reply = await call('PUT', '/v3/OS-FEDERATION/mappings/x', { token: admin, body: { mapping } })
    assert.equal(reply.status, 400)
  })

test('service providers that are switched on are told of in tokens', async (t) => {
  const { call, admin, tokenOf } = await startIdentity(t)
  const body = { service_provider: { auth_url: 'https://b.org/v3', sp_url: 'https://b.org/ecp', enabled: true } }
  assert.equal((await call('PUT', '/v3/OS-FEDERATION/service_providers/b', { token: admin, body })).status, 201)
  const off = { service_provider: { ...body.service_provider, enabled: false } }
  assert.equal((await call('PUT', '/v3/OS-FEDERATION/service_providers/c', { token: admin, body: off })).status, 201)
  const token = await tokenOf('demo', 'demo-secret')
  const reply = await call('GET', '/v3/auth/tokens', { token, headers: { 'x-subject-token': token } })
  const told = [{ id: 'b', auth_url: 'https://b.org/v3', sp_url: 'https://b.org/ecp' }]
  assert.deepEqual(reply.body.token.service_providers, told)
})
