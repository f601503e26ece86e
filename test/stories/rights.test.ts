import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createLocalBus } from '../../src/platform/bus/local.ts'
import { newLogger } from '../../src/platform/log.ts'
import { createLoops } from '../../src/platform/reconcile/loops.ts'
import { createIdentity, type IdentityService } from '../../src/services/identity/index.ts'
import { chanceOf } from '../../tools/fuzz/chance.ts'
import { until } from '../support/api.ts'
import { openTestPostgres } from '../support/databases.ts'
import { startIdentity } from '../support/identity.ts'
import { type Assignment, type Model, rolesOf } from '../support/rights-model.ts'

/** What docs/operators/access.md announces for a process that the bus does not reach. */
const boundMs = 15_000

interface Held {
  token: string
  user: string
  scope: string
  roles: string[]
  /** Once true, no process may ever take it again, whatever is granted later. */
  void: boolean
}

/** Two identity services on one PostgreSQL whose buses know nothing of each other: every message between them is lost. */
async function twoProcesses(t: TestContext) {
  const first = await startIdentity(t, { open: openTestPostgres })
  const bus = createLocalBus(newLogger('silent'))
  const second = await createIdentity({ ...first.ground, bus })
  await second.start?.()
  t.after(async () => {
    await second.stop?.()
    await bus.close()
  })
  const send = async (at: IdentityService, method: string, url: string, body?: object, token = first.admin) => {
    const headers = token === '' ? {} : { 'x-auth-token': token }
    const reply = await at.app!.inject({ method: method as 'GET', url, headers, ...(body && { payload: body }) })
    return { status: reply.statusCode, headers: reply.headers, body: reply.body === '' ? null : reply.json() }
  }
  const make = async (plural: string, singular: string, wanted: object): Promise<string> => {
    const reply = await send(first.identity, 'POST', `/v3/${plural}`, { [singular]: wanted })
    assert.equal(reply.status, 201, JSON.stringify(reply.body))
    return reply.body[singular].id
  }
  const hear = async (at: IdentityService) => {
    for (const loop of at.loops) await loop.run(new AbortController().signal)
  }
  return { first, services: [first.identity, second] as const, send, make, hear }
}

for (const seed of [1, 2, 3])
  test(`no sequence of operations gives a token a right its assignments do not (seed ${seed})`, async (t) => {
    const { services, send, make, hear } = await twoProcesses(t)
    const chance = chanceOf(seed)
    const users = [await make('users', 'user', { name: 'u1', password: 'first-1' })]
    users.push(await make('users', 'user', { name: 'u2', password: 'first-2' }))
    const group = await make('groups', 'group', { name: 'g' })
    const upper = await make('projects', 'project', { name: 'upper' })
    const lower = await make('projects', 'project', { name: 'lower', parent_id: upper })
    const aside = await make('projects', 'project', { name: 'aside' })
    const [r1, r2, r3] = [
      await make('roles', 'role', { name: 'r1' }),
      await make('roles', 'role', { name: 'r2' }),
      await make('roles', 'role', { name: 'r3' }),
    ]
    const scopes = [`project:${upper}`, `project:${lower}`, `project:${aside}`, 'domain:default', 'system']
    const model: Model = {
      assignments: [],
      members: { [group]: [] },
      implies: { [r1]: [r3] },
      above: {
        [`project:${upper}`]: ['domain:default'],
        [`project:${lower}`]: [`project:${upper}`, 'domain:default'],
        [`project:${aside}`]: ['domain:default'],
      },
      disabled: new Set(),
      passwords: { [users[0]!]: 'first-1', [users[1]!]: 'first-2' },
    }
    assert.equal((await send(services[0], 'PUT', `/v3/roles/${r1}/implies/${r3}`)).status, 201)
    const held: Held[] = []
    let accepted = 0
    let voided = 0

    const pathOf = ({ actor, target, role, inherited }: Assignment): string => {
      const who = `${actor === group ? 'groups' : 'users'}/${actor}/roles/${role}`
      const where = target === 'system' ? 'system' : target.replace(':', 's/')
      return inherited ? `/v3/OS-INHERIT/${where}/${who}/inherited_to_projects` : `/v3/${where}/${who}`
    }
    const scopeBody = (scope: string) => {
      const [kind = '', id] = scope.split(':')
      return kind === 'system' ? { system: { all: true } } : { [kind]: { id } }
    }
    const logIn = async (at: IdentityService, user: string, scope: string): Promise<void> => {
      const known = held.findLast((each) => each.user === user && !each.void)
      const byToken = known !== undefined && chance.sometimes(0.7)
      const identity = byToken
        ? { methods: ['token'], token: { id: known.token } }
        : { methods: ['password'], password: { user: { id: user, password: model.passwords[user] } } }
      const auth = { identity, scope: scopeBody(scope) }
      const reply = await send(at, 'POST', '/v3/auth/tokens', { auth }, '')
      const rights = [...rolesOf(model, user, scope)].sort()
      if (reply.status !== 201) {
        // A void of more than was needed (who leaves a group is logged out everywhere) only costs a log-in.
        if (!byToken) assert.deepEqual(rights, [], `${user} has rights in ${scope} and cannot log in: ${reply.status}`)
        return
      }
      const roles = (reply.body.token.roles as { id: string }[]).map(({ id }) => id).sort()
      assert.deepEqual(roles, rights, `${user} in ${scope}`)
      held.push({ token: String(reply.headers['x-subject-token']), user, scope, roles, void: false })
    }
    const change = async (at: IdentityService): Promise<void> => {
      const user = chance.one(users)
      const roll = chance.below(12)
      if (roll < 7) {
        const inherited = chance.sometimes(0.3)
        const target = inherited ? chance.one([`project:${upper}`, 'domain:default']) : chance.one(scopes)
        const fresh = { actor: chance.sometimes(0.3) ? group : user, target, role: chance.one([r1, r2, r3]), inherited }
        const gone = roll < 4 || model.assignments.length === 0 ? null : chance.one(model.assignments)
        const reply = await send(at, gone ? 'DELETE' : 'PUT', pathOf(gone ?? fresh))
        assert.equal(reply.status, 204, `${pathOf(gone ?? fresh)}: ${JSON.stringify(reply.body)}`)
        const same = JSON.stringify(gone ?? fresh)
        model.assignments = model.assignments.filter((each) => JSON.stringify(each) !== same)
        if (!gone) model.assignments.push(fresh)
      } else if (roll < 8) {
        const inside = model.members[group]?.includes(user)
        assert.equal((await send(at, inside ? 'DELETE' : 'PUT', `/v3/groups/${group}/users/${user}`)).status, 204)
        const others = (model.members[group] ?? []).filter((each) => each !== user)
        model.members[group] = inside ? others : [...others, user]
      } else if (roll < 10) {
        const off = [...model.disabled]
        const any = roll < 9 ? user : chance.one([`project:${lower}`, `project:${aside}`])
        const thing = off.length > 0 ? chance.one(off) : any
        const on = model.disabled.has(thing)
        const [kind = '', id] = thing.includes(':') ? ['project', thing.split(':')[1]] : ['user', thing]
        assert.equal((await send(at, 'PATCH', `/v3/${kind}s/${id}`, { [kind]: { enabled: on } })).status, 200)
        if (on) model.disabled.delete(thing)
        else model.disabled.add(thing)
      } else if (roll < 11) {
        const password = `next-${chance.below(1_000_000)}`
        assert.equal((await send(at, 'PATCH', `/v3/users/${user}`, { user: { password } })).status, 200)
        model.passwords[user] = password
        for (const each of held) if (each.user === user) each.void = true
      } else {
        const mine = held.filter((each) => !each.void)
        if (mine.length === 0) return
        const one = chance.one(mine)
        const headers = { 'x-auth-token': one.token, 'x-subject-token': one.token }
        await at.app!.inject({ method: 'DELETE', url: '/v3/auth/tokens', headers })
        one.void = true
      }
    }

    /** Mostly where there is something to get. */
    const somewhere = (): [user: string, scope: string] => {
      const all = users.flatMap((user) => scopes.map((scope): [string, string] => [user, scope]))
      const open = all.filter(([user, scope]) => rolesOf(model, user, scope).size > 0)
      return open.length > 0 && chance.sometimes(0.8) ? chance.one(open) : chance.one(all)
    }

    for (let step = 0; step < 300; step++) {
      const [at, other] = chance.sometimes(0.5) ? services : services.toReversed()
      if (chance.sometimes(0.5)) await logIn(at!, ...somewhere())
      else {
        await change(at!)
        for (const each of held) {
          const rights = rolesOf(model, each.user, each.scope)
          if (each.roles.some((role) => !rights.has(role))) each.void = true
        }
        voided = held.filter((each) => each.void).length
      }
      for (const where of [at!, other!]) {
        if (where === other) await hear(other)
        for (const each of held) {
          const ctx = where.authenticate(each.token, 'req-1')
          if (ctx) accepted++
          if (each.void)
            assert.equal(ctx, null, `step ${step}: ${each.user} in ${each.scope} is let in by a void token`)
        }
      }
    }
    assert.ok(accepted > 50 && voided > 5, `${accepted} accepted, ${voided} void: the sequence proves nothing`)
  })

test(`a process that no message reaches refuses a revoked token within ${boundMs / 1000} s`, async (t) => {
  const { first, services, send, make } = await twoProcesses(t)
  const [at, other] = services
  const user = await make('users', 'user', { name: 'kim', password: 'first-1' })
  const auth = { identity: { methods: ['password'], password: { user: { id: user, password: 'first-1' } } } }
  const reply = await send(at, 'POST', '/v3/auth/tokens', { auth }, '')
  const token = String(reply.headers['x-subject-token'])
  assert.ok(other.authenticate(token, 'req-1'))
  const loops = createLoops(newLogger('silent'), first.ground.clock)
  for (const loop of other.loops) loops.add(loop)
  loops.start()
  t.after(() => loops.stop())
  await until('the first round', 5000, async () => loops.status().every(({ rounds }) => rounds > 0))
  assert.equal((await send(at, 'PATCH', `/v3/users/${user}`, { user: { enabled: false } })).status, 200)
  assert.equal(at.authenticate(token, 'req-1'), null, 'at once where it was done')
  await until('the other process refuses it', boundMs, async () => other.authenticate(token, 'req-1') === null)
})
