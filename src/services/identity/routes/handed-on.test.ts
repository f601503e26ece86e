import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startIdentity } from '../../../../test/support/identity.ts'

const names = ['alice', 'bob', 'carol'] as const
const projects = ['p1', 'p2'] as const // few, so that what is done meets what was done
const roleNames = ['reader', 'member', 'manager'] as const
const steps = 100

/** Mulberry32: the same walk in every run. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A token that somebody holds, and whose rights in which project it may have at most. */
interface Held {
  readonly token: string
  readonly ownerId: string
  readonly projectId: string
}

for (const seed of [1, 2, 3])
  test(`whatever is granted, handed on and taken away, no token has a right that its owner lacks (walk ${seed})`, async (t) => {
    const { call, admin, logIn, identity } = await startIdentity(t)
    const random = randomOf(seed)
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
    const act = (method: string, url: string, body?: object, token = admin) =>
      call(method, `/v3/${url}`, { token, ...(body ? { body } : {}) })
    const userIds = new Map<string, string>()
    for (const name of names)
      userIds.set(name, (await act('POST', 'users', { user: { name, password: `${name}-pw` } })).body.user.id)
    const projectIds = new Map<string, string>()
    for (const name of projects)
      projectIds.set(name, (await act('POST', 'projects', { project: { name } })).body.project.id)
    const listed = (await act('GET', 'roles')).body.roles as { id: string; name: string }[]
    const roleId = (name: string) => listed.find((role) => role.name === name)!.id

    const held: Held[] = []
    const trusts: { id: string; ownerId: string; projectId: string; trustee: string }[] = []
    const keys: { id: string; secret: string; ownerId: string; projectId: string }[] = []
    const keep = (reply: { status: number; headers: Record<string, unknown> }, ownerId: string, projectId: string) => {
      if (reply.status !== 201) return
      held.push({ token: String(reply.headers['x-subject-token']), ownerId, projectId })
    }

    const step: Record<string, () => Promise<unknown>> = {
      grant: () => act('PUT', grantPath()),
      grantMore: () => act('PUT', grantPath()),
      revoke: () => act('DELETE', grantPath()),
      logIn: () => logInSomebody(),
      logInMore: () => logInSomebody(),
      /** By any token there is: what it has no right to make, it cannot make. */
      async handOn() {
        const by = pick(live())
        const ctx = by && identity.authenticate(by.token, 'req-1')
        if (!by || !ctx) return
        const trustee = pick(names)
        const trust = {
          trustor_user_id: ctx.userId,
          trustee_user_id: userIds.get(trustee),
          project_id: by.projectId,
          impersonation: random() < 0.5,
          roles: [{ name: pick(roleNames) }],
          allow_redelegation: true,
        }
        const reply = await act('POST', 'OS-TRUST/trusts', { trust }, by.token)
        if (reply.status === 201)
          trusts.push({ id: reply.body.trust.id, ownerId: by.ownerId, projectId: by.projectId, trustee })
      },
      async makeKey() {
        const by = pick(live())
        const ctx = by && identity.authenticate(by.token, 'req-1')
        if (!by || !ctx) return
        const body = { application_credential: { name: `k${random()}`, unrestricted: random() < 0.5 } }
        const reply = await act('POST', `users/${ctx.userId}/application_credentials`, body, by.token)
        if (reply.status !== 201) return
        const { id, secret } = reply.body.application_credential
        keys.push({ id, secret, ownerId: by.ownerId, projectId: by.projectId })
      },
      async useTrust() {
        const trust = pick(trusts)
        if (!trust) return
        const reply = await logIn(trust.trustee, `${trust.trustee}-pw`, { 'OS-TRUST:trust': { id: trust.id } })
        keep(reply, trust.ownerId, trust.projectId)
      },
      async useKey() {
        const key = pick(keys)
        if (!key) return
        const application_credential = { id: key.id, secret: key.secret }
        const auth = { identity: { methods: ['application_credential'], application_credential } }
        keep(await call('POST', '/v3/auth/tokens', { body: { auth } }), key.ownerId, key.projectId)
      },
      async endTrust() {
        if (random() < 0.3 && trusts.length > 0) await act('DELETE', `OS-TRUST/trusts/${pick(trusts).id}`)
      },
      async switchUser() {
        const id = userIds.get(pick(names))
        if (random() < 0.3) await act('PATCH', `users/${id}`, { user: { enabled: false } })
        if (random() < 0.9) await act('PATCH', `users/${id}`, { user: { enabled: true } })
      },
    }
    const grantPath = () =>
      `projects/${projectIds.get(pick(projects))}/users/${userIds.get(pick(names))}/roles/${roleId(pick(roleNames))}`

    const logInSomebody = async () => {
      const [name, project] = [pick(names), pick(projects)]
      const id = projectIds.get(project)!
      keep(await logIn(name, `${name}-pw`, { project: { id } }), userIds.get(name)!, id)
    }
    const live = () => held.filter(({ token }) => identity.authenticate(token, 'req-1'))

    for (let i = 0; i < 8; i++) await act('PUT', grantPath())
    let living = 0
    let handedOn = 0
    for (let i = 0; i < steps; i++) {
      const name = pick(Object.keys(step))
      await step[name]!()
      const rights = new Map<string, Set<string>>()
      for (const { token, ownerId, projectId } of held) {
        const ctx = identity.authenticate(token, 'req-1')
        if (!ctx) continue
        living++
        if (ctx.delegation) handedOn++
        const key = `${ownerId} ${projectId}`
        if (!rights.has(key)) {
          const query = `user.id=${ownerId}&scope.project.id=${projectId}&effective&include_names`
          const found = (await act('GET', `role_assignments?${query}`)).body.role_assignments
          rights.set(key, new Set(found.map((each: { role: { name: string } }) => each.role.name)))
        }
        assert.equal(ctx.projectId, projectId)
        for (const role of ctx.roles) assert.ok(rights.get(key)?.has(role), `step ${i} ${name}: ${role} is not theirs`)
      }
    }
    assert.ok(living > steps && handedOn > steps / 4, `the walk met too little: ${living}, ${handedOn}`)
  })
