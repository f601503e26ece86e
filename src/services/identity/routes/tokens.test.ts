import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passwords, projectScope, startIdentity } from '../../../../test/support/identity.ts'
import { hashesComputed } from '../../../platform/auth/passwords.ts'

const { adminPassword, demoPassword } = passwords

test('a password gets a token whose body is Keystone’s, with the catalog', async (t) => {
  const { identity, logIn, seeded } = await startIdentity(t)
  await identity.register({ type: 'compute', name: 'nova', url: 'http://127.0.0.1:8774/v2.1' })
  await identity.register({ type: 'object-store', name: 'swift', url: 'http://h/v1/AUTH_%(project_id)s' })
  const { status, headers, body } = await logIn('admin', adminPassword, projectScope('admin'))
  assert.equal(status, 201)
  assert.match(String(headers['x-subject-token']), /^[\w-]{200,700}$/)
  const { token } = body
  assert.deepEqual(Object.keys(token).sort(), [
    'audit_ids',
    'catalog',
    'expires_at',
    'is_domain',
    'issued_at',
    'methods',
    'project',
    'roles',
    'user',
  ])
  assert.deepEqual(token.methods, ['password'])
  assert.deepEqual(token.user, {
    id: seeded.adminUserId,
    name: 'admin',
    domain: { id: 'default', name: 'Default' },
    password_expires_at: null,
  })
  assert.deepEqual(token.project, {
    id: seeded.adminProjectId,
    name: 'admin',
    domain: { id: 'default', name: 'Default' },
  })
  assert.deepEqual(
    token.roles.map((role: { name: string }) => role.name),
    ['admin', 'manager', 'member', 'reader'],
  )
  assert.match(token.expires_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  const nova = token.catalog.find((service: { type: string }) => service.type === 'compute')
  assert.deepEqual(nova.endpoints.map((e: { interface: string }) => e.interface).sort(), [
    'admin',
    'internal',
    'public',
  ])
  assert.equal(nova.endpoints[0].region, 'RegionOne')
  const swift = token.catalog.find((service: { type: string }) => service.type === 'object-store')
  assert.equal(swift.endpoints[0].url, `http://h/v1/AUTH_${seeded.adminProjectId}`)
})

const scopes: [scope: unknown, has: string | null][] = [
  [projectScope('admin'), 'project'],
  [{ project: { name: 'admin', domain: { name: 'Default' } } }, 'project'],
  [{ system: { all: true } }, 'system'],
  ['unscoped', null],
  [{ unscoped: {} }, null],
  [undefined, null],
]
for (const [scope, has] of scopes)
  test(`scope ${JSON.stringify(scope)} gives a token with ${has ?? 'none'}`, async (t) => {
    const { logIn } = await startIdentity(t)
    const { status, body } = await logIn('admin', adminPassword, scope)
    assert.equal(status, 201)
    for (const kind of ['project', 'domain', 'system']) assert.equal(kind in body.token, kind === has)
    assert.equal('catalog' in body.token, has !== null)
    assert.equal('roles' in body.token, has !== null)
  })

test('whatever is wrong with a log-in, the answer is the same', async (t) => {
  const { call, logIn } = await startIdentity(t)
  const bodies = [
    (await logIn('admin', 'wrong', projectScope('admin'))).body,
    (await logIn('nobody', 'wrong', projectScope('admin'))).body,
    (await logIn('demo', demoPassword, projectScope('admin'))).body, // no role there
    (await logIn('demo', demoPassword, projectScope('nowhere'))).body,
    (await logIn('demo', demoPassword, { system: { all: true } })).body,
    (await logIn('demo', demoPassword, { domain: { id: 'default' } })).body,
  ]
  for (const body of bodies)
    assert.deepEqual(body, {
      error: { code: 401, title: 'Unauthorized', message: 'The request you have made requires authentication.' },
    })
  const unknown = { auth: { identity: { methods: ['magic'] } } }
  assert.equal((await call('POST', '/v3/auth/tokens', { body: unknown })).status, 401)
})

const malformed: unknown[] = [
  {},
  { auth: {} },
  { auth: { identity: {} } },
  { auth: { identity: { methods: 'password' } } },
  { auth: { identity: { methods: ['password'] } } },
  { auth: { identity: { methods: ['password'], password: { user: { id: 'x' } } } } },
  { auth: { identity: { methods: ['password'], password: { user: { name: 'x', password: 'y' } } } } },
  { auth: { identity: { methods: ['token'] } } },
]
test('who does not exist costs as many hashes as a wrong password, and an old hash is replaced at log-in', async (t) => {
  const { ground, logIn, seeded } = await startIdentity(t)
  const costOf = async (user: string, password: string) => {
    const before = hashesComputed()
    const { status } = await logIn(user, password)
    return [status, hashesComputed() - before]
  }
  assert.deepEqual(await costOf('demo', 'wrong'), [401, 1])
  assert.deepEqual(await costOf('nobody', 'wrong'), [401, 1])

  // As Keystone keeps it: passlib's scrypt with 2^10 rounds.
  const old = '$scrypt$ln=10,r=8,p=1$mrPWuhfi/H+vNea8l/Ie4w$OVDLrDp3mnGKM5tvH+XzRJJlEfdFecGHOLauvhSHFpo'
  const demo = () =>
    ground.database.read
      .selectFrom('identity_users')
      .select('password_hash')
      .where('id', '=', seeded.demoUserId ?? '')
  await ground.database.write((trx) =>
    trx
      .updateTable('identity_users')
      .set({ password_hash: old })
      .where('id', '=', seeded.demoUserId ?? '')
      .execute(),
  )
  assert.deepEqual(await costOf('demo', 'a right password'), [201, 2])
  assert.match((await demo().executeTakeFirstOrThrow()).password_hash ?? '', /^\$argon2id\$/)
  assert.deepEqual(await costOf('demo', 'a right password'), [201, 1])
})

test('a malformed log-in is 400', async (t) => {
  const { call } = await startIdentity(t)
  for (const body of malformed)
    assert.equal((await call('POST', '/v3/auth/tokens', { body })).status, 400, JSON.stringify(body))
})

test('failed log-ins are limited per user and address, with the time to wait', async (t) => {
  const { logIn, ground } = await startIdentity(t)
  for (let i = 0; i < 10; i++) assert.equal((await logIn('demo', 'wrong')).status, 401)
  const limited = await logIn('demo', demoPassword)
  assert.equal(limited.status, 429)
  assert.equal(limited.body.error.title, 'Too Many Requests')
  assert.ok(Number(limited.headers['retry-after']) > 0 && Number(limited.headers['retry-after']) <= 60)
  assert.equal((await logIn('admin', adminPassword)).status, 201)
  ground.clock.advanceMs(60_000)
  assert.equal((await logIn('demo', demoPassword)).status, 201)
})

test('a token makes another, no longer lived, and names its ancestor', async (t) => {
  const { call, logIn } = await startIdentity(t)
  const first = await logIn('admin', adminPassword)
  const exchange = (token: string, scope: unknown) =>
    call('POST', '/v3/auth/tokens', {
      body: { auth: { identity: { methods: ['token'], token: { id: token } }, scope } },
    })
  const second = await exchange(String(first.headers['x-subject-token']), projectScope('admin'))
  assert.equal(second.status, 201)
  assert.deepEqual([...second.body.token.methods].sort(), ['password', 'token'])
  assert.equal(second.body.token.expires_at, first.body.token.expires_at)
  assert.equal(second.body.token.audit_ids[1], first.body.token.audit_ids[0])
  const third = await exchange(String(second.headers['x-subject-token']), 'unscoped')
  assert.equal(third.body.token.audit_ids[1], first.body.token.audit_ids[0])
  assert.equal((await exchange('bad', projectScope('admin'))).status, 404)
})

test('validate, check and revoke: by the token’s owner and by an administrator, by nobody else', async (t) => {
  const { call, admin, tokenOf, identity } = await startIdentity(t)
  const demo = await tokenOf('demo', demoPassword, projectScope('demo'))
  const about = (method: string, token: string, subject: string, query = '') =>
    call(method, `/v3/auth/tokens${query}`, { token, headers: { 'x-subject-token': subject } })
  const validated = await about('GET', admin, demo)
  assert.equal(validated.status, 200)
  assert.equal(validated.headers['x-subject-token'], demo)
  assert.equal(validated.body.token.user.name, 'demo')
  assert.ok(validated.body.token.catalog)
  assert.equal('catalog' in (await about('GET', admin, demo, '?nocatalog')).body.token, false)
  assert.equal((await about('HEAD', demo, demo)).status, 200)
  assert.equal((await about('GET', demo, admin)).status, 403)
  assert.equal((await about('DELETE', demo, admin)).status, 403)
  assert.equal((await about('GET', admin, 'nonsense')).status, 404)
  assert.equal((await about('GET', 'nonsense', demo)).status, 401)
  assert.equal((await about('DELETE', demo, demo)).status, 204)
  assert.equal((await about('GET', admin, demo)).status, 404)
  assert.equal((await about('GET', demo, demo)).status, 401)
  assert.equal(identity.authenticate(demo, 'req-1'), null)
})

test('an expired token is known for a while to those who ask so', async (t) => {
  const { call, tokenOf, ground } = await startIdentity(t)
  const demo = await tokenOf('demo', demoPassword, projectScope('demo'))
  ground.clock.advanceMs(13 * 3_600_000)
  const admin = await tokenOf('admin', adminPassword, projectScope('admin'))
  const about = (query: string) =>
    call('GET', `/v3/auth/tokens${query}`, { token: admin, headers: { 'x-subject-token': demo } })
  assert.equal((await about('')).status, 404)
  assert.equal((await about('?allow_expired=1')).status, 200)
})

test('a cloud that restarts remembers what was revoked', async (t) => {
  const { call, tokenOf, ground } = await startIdentity(t)
  const demo = await tokenOf('demo', demoPassword, projectScope('demo'))
  await call('DELETE', '/v3/auth/tokens', { token: demo, headers: { 'x-subject-token': demo } })
  const { createIdentity } = await import('../index.ts')
  const next = await createIdentity(ground)
  assert.ok(next.authenticate(demo, 'req-1'))
  await next.start?.()
  assert.equal(next.authenticate(demo, 'req-1'), null)
  await next.stop?.()
})

test('discovery needs no token and points at this address', async (t) => {
  const { call } = await startIdentity(t)
  const root = await call('GET', '/', { headers: { host: 'cloud.example:5000' } })
  assert.equal(root.status, 300)
  assert.equal(root.body.versions.values[0].links[0].href, 'http://cloud.example:5000/v3/')
  const v3 = await call('GET', '/v3/', { headers: { host: 'cloud.example:5000' } })
  assert.equal(v3.status, 200)
  assert.equal(v3.body.version.id, 'v3.14')
})

test('what a token can reach: catalog, projects, domains, system', async (t) => {
  const { call, admin, tokenOf } = await startIdentity(t)
  const demo = await tokenOf('demo', demoPassword)
  const names = (body: { projects: { name: string }[] }) => body.projects.map((project) => project.name)
  assert.deepEqual(names((await call('GET', '/v3/auth/projects', { token: demo })).body), ['demo'])
  assert.deepEqual((await call('GET', '/v3/auth/domains', { token: demo })).body.domains, [])
  assert.deepEqual((await call('GET', '/v3/auth/system', { token: demo })).body.system, [])
  assert.deepEqual((await call('GET', '/v3/auth/system', { token: admin })).body.system, [{ all: true }])
  assert.equal((await call('GET', '/v3/auth/catalog', { token: admin })).status, 200)
  assert.equal((await call('GET', '/v3/auth/projects')).status, 401)
})

test('a minted token works for a while, in a project, without a log-in', async (t) => {
  const { identity, seeded, ground } = await startIdentity(t)
  const token = await identity.mintToken({
    userId: seeded.demoUserId,
    projectId: seeded.demoProjectId,
    ttlSeconds: 60,
  })
  const ctx = identity.authenticate(token, 'req-1')
  assert.deepEqual(
    [ctx?.userName, ctx?.projectName, [...(ctx?.roles ?? [])].sort()],
    ['demo', 'demo', ['member', 'reader']],
  )
  ground.clock.advanceMs(60_000)
  assert.equal(identity.authenticate(token, 'req-1'), null)
})
