import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'

/** Alice has roles in a project; bob and carol have none. */
async function world(t: TestContext) {
  const cloud = await startIdentity(t)
  const { call, admin: token } = cloud
  const make = async (plural: string, noun: string, wanted: object): Promise<string> =>
    (await call('POST', `/v3/${plural}`, { token, body: { [noun]: wanted } })).body[noun].id
  const [alice, bob, carol] = await Promise.all(
    ['alice', 'bob', 'carol'].map((name) => make('users', 'user', { name, password: `${name}-secret` })),
  )
  const project = await make('projects', 'project', { name: 'p' })
  const roles = (await call('GET', '/v3/roles', { token })).body.roles
  const roleId = (name: string): string => roles.find((role: { name: string }) => role.name === name).id
  const grant = `/v3/projects/${project}/users/${alice}/roles/${roleId('member')}`
  await call('PUT', grant, { token })
  const aliceToken = await cloud.tokenOf('alice', 'alice-secret', { project: { id: project } })
  const create = (more: object = {}, by = aliceToken) =>
    call('POST', '/v3/OS-TRUST/trusts', {
      token: by,
      body: {
        trust: {
          trustor_user_id: alice,
          trustee_user_id: bob,
          project_id: project,
          impersonation: true,
          roles: [{ name: 'reader' }],
          ...more,
        },
      },
    })
  const trustOf = async (more: object = {}, by = aliceToken) => (await create(more, by)).body.trust
  const by = (id: string, user = 'bob') => cloud.logIn(user, `${user}-secret`, { 'OS-TRUST:trust': { id } })
  const tokenBy = async (id: string, user = 'bob') => String((await by(id, user)).headers['x-subject-token'])
  return {
    ...cloud,
    alice: alice!,
    bob: bob!,
    carol: carol!,
    project,
    roleId,
    grant,
    aliceToken,
    create,
    trustOf,
    by,
    tokenBy,
  }
}

test('a trustee acts as the trustor, or as themselves, with the roles of the trust', async (t) => {
  const { by, alice, bob, project, trustOf, create, call, aliceToken, roleId, tokenBy, tokenOf, admin } = await world(t)
  const made = await create()
  assert.equal(made.status, 201)
  const { id, roles, redelegation_count, remaining_uses, deleted_at, links } = made.body.trust
  assert.deepEqual(
    { redelegation_count, remaining_uses, deleted_at },
    { redelegation_count: 0, remaining_uses: null, deleted_at: null },
  )
  assert.equal(roles[0].name, 'reader')
  assert.ok(links.self.endsWith(`/v3/OS-TRUST/trusts/${id}`))
  const { token } = (await by(id)).body
  assert.equal(token.user.id, alice)
  assert.equal(token.project.id, project)
  assert.deepEqual(
    token.roles.map((role: { name: string }) => role.name),
    ['reader'],
  )
  assert.deepEqual(token['OS-TRUST:trust'], {
    id,
    impersonation: true,
    trustor_user: { id: alice },
    trustee_user: { id: bob },
  })
  const own = await trustOf({ impersonation: false })
  assert.equal((await by(own.id)).body.token.user.id, bob)
  assert.equal((await by(id, 'carol')).status, 403)
  assert.equal((await by('nothing')).status, 404)

  // What was handed on does not grow.
  const byTrust = await tokenBy(id)
  const again = {
    auth: { identity: { methods: ['token'], token: { id: byTrust } }, scope: { project: { id: project } } },
  }
  assert.equal((await call('POST', '/v3/auth/tokens', { body: again })).status, 403)
  assert.equal((await call('GET', '/v3/credentials', { token: byTrust })).status, 403)
  const app = { application_credential: { name: 'a' } }
  assert.equal(
    (await call('POST', `/v3/users/${alice}/application_credentials`, { token: byTrust, body: app })).status,
    403,
  )

  const bobs = await tokenOf('bob', 'bob-secret')
  const get = async (path: string, as = aliceToken) => call('GET', `/v3/OS-TRUST/trusts${path}`, { token: as })
  assert.equal((await get(`/${id}`, bobs)).body.trust.roles[0].id, roleId('reader'))
  assert.equal((await get(`/${id}`, await tokenOf('carol', 'carol-secret'))).status, 403)
  assert.equal((await get('/nothing', bobs)).status, 404)
  assert.equal((await get(`/${id}/roles`)).body.roles.length, 1)
  assert.equal((await get(`/${id}/roles/${roleId('reader')}`)).body.role.name, 'reader')
  assert.equal((await get(`/${id}/roles/${roleId('member')}`)).status, 404)
  assert.equal((await get(`?trustor_user_id=${alice}`)).body.trusts.length, 2)
  assert.equal((await get(`?trustee_user_id=${bob}`, bobs)).body.trusts.length, 2)
  assert.equal((await get(`?trustee_user_id=${bob}`)).status, 403)
  assert.equal((await get('')).status, 403)
  assert.equal((await get('', admin)).body.trusts.length, 2)
})

const refused: [what: string, more: (w: Awaited<ReturnType<typeof world>>) => object, status: number][] = [
  ['for another trustor', (w) => ({ trustor_user_id: w.bob }), 403],
  ['for nobody', () => ({ trustee_user_id: 'nobody' }), 404],
  ['without a role', () => ({ roles: [] }), 403],
  ['with a role the trustor lacks', () => ({ roles: [{ name: 'admin' }] }), 404],
  ['with a role that is none', () => ({ roles: [{ id: 'x' }] }), 404],
  ['in a project that is none', () => ({ project_id: 'x' }), 404],
  ['that is over', () => ({ expires_at: '2001-01-01T00:00:00Z' }), 400],
  ['until no time', () => ({ expires_at: 'bad.123Z' }), 400],
  ['for no use', () => ({ remaining_uses: 0 }), 400],
  ['with uses and redelegation', () => ({ remaining_uses: 1, allow_redelegation: true }), 400],
  ['with too deep a redelegation', () => ({ allow_redelegation: true, redelegation_count: 4 }), 403],
]
for (const [what, more, status] of refused)
  test(`no trust ${what}`, async (t) => {
    const w = await world(t)
    assert.equal((await w.create(more(w))).status, status)
  })

test('a trust is used up, or comes to its end', async (t) => {
  const { trustOf, by, ground, call, aliceToken } = await world(t)
  const few = await trustOf({ remaining_uses: 2 })
  assert.equal((await by(few.id)).status, 201)
  const left = (await call('GET', `/v3/OS-TRUST/trusts/${few.id}`, { token: aliceToken })).body.trust.remaining_uses
  assert.equal(left, 1)
  assert.equal((await by(few.id)).status, 201)
  assert.equal((await by(few.id)).status, 404)
  const end = new Date(ground.clock.nowMs() + 3_600_000).toISOString()
  const short = await trustOf({ expires_at: end })
  assert.equal(short.expires_at, end.replace('Z', '000Z'))
  const reply = await by(short.id)
  assert.equal(reply.body.token.expires_at, short.expires_at)
  ground.clock.advanceMs(3_600_001)
  assert.equal((await by(short.id)).status, 404)
})

const ends: [what: string, how: (w: Awaited<ReturnType<typeof world>>, id: string) => [string, string, object?]][] = [
  ['it is deleted', (_, id) => ['DELETE', `/v3/OS-TRUST/trusts/${id}`]],
  ['the trustor loses the role', (w) => ['DELETE', w.grant]],
  ['the trustor is switched off', (w) => ['PATCH', `/v3/users/${w.alice}`, { user: { enabled: false } }]],
  ['the trustee is switched off', (w) => ['PATCH', `/v3/users/${w.bob}`, { user: { enabled: false } }]],
  ['the trustor is deleted', (w) => ['DELETE', `/v3/users/${w.alice}`]],
  ['the project is switched off', (w) => ['PATCH', `/v3/projects/${w.project}`, { project: { enabled: false } }]],
]
for (const [what, how] of ends)
  for (const impersonation of [true, false])
    test(`tokens of a trust ${impersonation ? 'with' : 'without'} impersonation die when ${what}`, async (t) => {
      const w = await world(t)
      // One names the role that is taken away, the other a role that it implies.
      const trust = await w.trustOf({ impersonation, roles: [{ name: impersonation ? 'member' : 'reader' }] })
      const token = await w.tokenBy(trust.id)
      assert.ok(w.identity.authenticate(token, 'req-1'))
      const [method, path, body] = how(w, trust.id)
      const reply = await w.call(method, path, { token: w.admin, ...(body ? { body } : {}) })
      assert.ok(reply.status < 300, JSON.stringify(reply.body))
      assert.equal(w.identity.authenticate(token, 'req-2'), null)
      assert.ok((await w.by(trust.id)).status >= 400)
    })

test('a trustee hands on what they were given, no more, and it falls with its root', async (t) => {
  const { trustOf, create, tokenBy, alice, bob, carol, by, call, identity, aliceToken, admin } = await world(t)
  const root = await trustOf({
    allow_redelegation: true,
    redelegation_count: 2,
    roles: [{ name: 'member' }, { name: 'reader' }],
  })
  assert.equal(root.redelegation_count, 2)
  const byRoot = await tokenBy(root.id)
  const next = { trustee_user_id: carol, allow_redelegation: true }
  assert.equal((await create({ ...next, redelegation_count: 2 }, byRoot)).status, 403)
  assert.equal((await create({ ...next, allow_redelegation: false, remaining_uses: 1 }, byRoot)).status, 403)
  const child = await trustOf(next, byRoot)
  assert.deepEqual([child.redelegated_trust_id, child.redelegation_count, child.trustor_user_id], [root.id, 1, alice])
  const token = await tokenBy(child.id, 'carol')
  assert.equal(identity.authenticate(token, 'req-1')?.userId, alice)
  assert.equal((await create({ trustee_user_id: bob, roles: [{ name: 'member' }] }, token)).status, 403)
  const last = await trustOf({ trustee_user_id: bob }, token)
  assert.equal(last.redelegation_count, 0)
  assert.equal((await create({ trustee_user_id: carol }, await tokenBy(last.id))).status, 403)

  const end = new Date(Date.now() + 3_600_000).toISOString()
  const limited = await trustOf({ allow_redelegation: true, impersonation: false, expires_at: end })
  const byLimited = await tokenBy(limited.id)
  const from = { trustor_user_id: bob, trustee_user_id: carol }
  assert.equal((await create({ ...from, impersonation: true }, byLimited)).status, 403)
  const later = new Date(Date.now() + 7_200_000).toISOString()
  assert.equal((await create({ ...from, impersonation: false, expires_at: later }, byLimited)).status, 403)
  const handed = await trustOf({ ...from, impersonation: false }, byLimited)
  assert.equal(handed.expires_at, limited.expires_at)
  assert.equal((await by(handed.id, 'carol')).body.token.user.id, carol)

  assert.equal((await call('DELETE', `/v3/OS-TRUST/trusts/${root.id}`, { token: aliceToken })).status, 204)
  assert.equal(identity.authenticate(token, 'req-2'), null)
  assert.equal((await by(child.id, 'carol')).status, 404)
  // Whoever stood between is gone: nothing comes through their hands any more.
  assert.equal(
    (await call('PATCH', `/v3/users/${bob}`, { token: admin, body: { user: { enabled: false } } })).status,
    200,
  )
  assert.equal((await by(handed.id, 'carol')).status, 403)
})
