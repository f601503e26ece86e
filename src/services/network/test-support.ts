import type { TestContext } from 'node:test'
import type { Open } from '../../../test/support/databases.ts'
import { fakeNetworkHost } from '../../../test/support/fake-network.ts'
import { type TestGround, testGround } from '../../../test/support/ground.ts'
import { testLimits } from '../../../test/support/limits.ts'
import { type Context, systemContext } from '../../platform/auth/context.ts'
import { markMigrations } from '../../platform/db/marks.ts'
import { createHosts } from '../../platform/hosts/hosts.ts'
import { hostMigrations } from '../../platform/hosts/tables.ts'
import { createLoops } from '../../platform/reconcile/loops.ts'
import { identityMigrations } from '../identity/index.ts'
import { createNetwork, type NetworkService, networkMigrations } from './index.ts'

export interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: what came over the wire is what a test looks into
  body: any
}

export interface Caller {
  ctx: Context
  get(path: string): Promise<Answer>
  post(path: string, body: unknown): Promise<Answer>
  put(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
  delete(path: string): Promise<Answer>
  /** Creates one resource and gives what came back. @throws Error with the answer when it is refused */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  make(path: string, values: Record<string, unknown>): Promise<any>
}

export interface TestNetwork {
  ground: TestGround
  network: NetworkService
  /** admin of project `admin`; alice and bob are members of `alice` and `bob`, rob reads in `alice`. */
  as(user: 'admin' | 'alice' | 'bob' | 'rob'): Caller
  /** Runs every loop until nothing is left to do. */
  settle(): Promise<void>
  /** A network host that does all it is told. */
  addHost(name: string): { stop(): void }
}

/** The control side of networking on a real database; tokens are user names. */
export async function startNetwork(t: TestContext, options: { open?: Open } = {}): Promise<TestNetwork> {
  const migrations = [
    { service: 'marks', migrations: markMigrations },
    { service: 'hosts', migrations: hostMigrations },
    identityMigrations,
    networkMigrations,
  ]
  const ground = await testGround(t, migrations, options)
  const hosts = createHosts(ground.database, ground.bus, ground.clock, ground.log)
  t.after(() => hosts.close())
  const loops = createLoops(ground.log, ground.clock, () => ground.bus.idle())
  const contexts = new Map(['admin', 'alice', 'bob', 'rob'].map((name) => [name, contextOf(name)]))
  const limits = await testLimits(ground.database, ['admin', 'alice', 'bob'])
  const identity = { authenticate: (token: string) => contexts.get(token) ?? null, limits }
  const network = createNetwork({ ...ground, nudge: (loop) => loops.nudge(loop) }, identity, hosts)
  for (const loop of network.loops) loops.add(loop)
  await network.start?.()
  t.after(async () => {
    await loops.stop()
    await network.stop?.()
    await network.app?.close()
  })
  return {
    ground,
    network,
    as: (user) => caller(network, contexts.get(user)!),
    settle: () => loops.settle(),
    addHost(name) {
      const host = fakeNetworkHost(name, ground.bus, ground.clock)
      t.after(() => host.stop())
      return host
    },
  }
}

function contextOf(name: string): Context {
  const roles = name === 'admin' ? ['admin', 'member', 'reader'] : name === 'rob' ? ['reader'] : ['member', 'reader']
  const project = { id: name === 'rob' ? 'alice' : name, domainId: 'default' }
  return { ...systemContext('req-test', project), userId: name, token: name, roles, isAdmin: name === 'admin' }
}

function caller(network: NetworkService, ctx: Context): Caller {
  const call = async (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: unknown,
    more = {},
  ): Promise<Answer> => {
    const reply = await network.app!.inject({
      method,
      url: path.startsWith('/') ? path : `/v2.0/${path}`,
      headers: {
        ...more,
        'x-auth-token': ctx.token,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { payload: JSON.stringify(body) }),
    })
    return { status: reply.statusCode, body: reply.body ? (JSON.parse(reply.body) as unknown) : null }
  }
  return {
    ctx,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    put: (path, body, headers) => call('PUT', path, body, headers),
    delete: (path) => call('DELETE', path),
    async make(path, values) {
      const singular = path.replace(/ies$/, 'ys').slice(0, -1).replaceAll('-', '_')
      const answer = await call('POST', path, { [singular]: values })
      if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
      return answer.body[singular]
    },
  }
}
