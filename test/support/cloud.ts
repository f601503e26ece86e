import type { TestContext } from 'node:test'
import { type Control, createControl } from '../../src/control.ts'
import { openFileBlobs } from '../../src/platform/blobs/file-store.ts'
import { createLocalBus } from '../../src/platform/bus/local.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { type Config, type ServiceName, urlOf } from '../../src/platform/config.ts'
import type { Database } from '../../src/platform/db/database.ts'
import { newLogger } from '../../src/platform/log.ts'
import type { ServerDriver } from '../../src/services/compute/host/driver.ts'
import { type FakeDriver, type FakeOptions, fakeDriver } from '../../src/services/compute/host/fake.ts'
import { startComputeHost } from '../../src/services/compute/host/servers.ts'
import { type Open, openTestSqlite, temporaryDirectory } from './databases.ts'
import { fakeNetworkHost } from './fake-network.ts'
import { testConfig } from './ground.ts'
import { claimPortBase } from './ports.ts'

export interface Answer {
  status: number
  headers: Record<string, unknown>
  // biome-ignore lint/suspicious/noExplicitAny: what came over the wire is what a test looks into
  body: any
}

/** Calls as one user: `as('admin').get('compute', '/v2.1/servers')`. */
export interface Caller {
  readonly projectId: string
  readonly token: string
  call(
    method: string,
    service: ServiceName,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>
  get(service: ServiceName, path: string, headers?: Record<string, string>): Promise<Answer>
  post(service: ServiceName, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  put(service: ServiceName, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  patch(service: ServiceName, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  delete(service: ServiceName, path: string): Promise<Answer>
}

export interface TestCloud {
  readonly control: Control
  readonly config: Config
  readonly database: Database
  /** The simulated engines, in the order of the hosts `host1`, `host2` … */
  readonly drivers: readonly FakeDriver[]
  /** admin (role admin) and demo (role member) are two users in two projects. */
  as(user: 'admin' | 'demo'): Caller
  /** Runs every loop until nothing is left to do. */
  settle(): Promise<void>
  /** Resolves when nothing is on the bus. */
  idle(): Promise<void>
}

export interface CloudOptions {
  open?: Open
  hosts?: readonly FakeOptions[]
  /** Real engines' drivers, as further hosts after those. */
  engines?: readonly ServerDriver[]
  config?: Partial<Config>
}

/** The whole control plane on a real database, with simulated hosts: nothing runs, everything else is as it is. */
export async function startCloud(t: TestContext, options: CloudOptions = {}): Promise<TestCloud> {
  const stateDir = await temporaryDirectory(t)
  const config: Config = { ...base, stateDir, portBase: await claimPortBase(t), ...options.config }
  const log = newLogger('silent')
  const clock = systemClock
  const database = await (options.open ?? openTestSqlite)(t)
  const bus = createLocalBus(log)
  const blobs = await openFileBlobs(`${stateDir}/blobs`, log)
  const control = await createControl({
    ...{ config, cloudId: '0000cafe', database, bus, blobs, policyOverrides: {}, log, clock },
    idle: () => bus.idle(),
  })
  t.after(async () => {
    await control.close()
    await bus.close()
  })
  const seeded = await control.services.identity.seed({
    adminPassword: 'admin-password',
    demoPassword: 'demo-password',
  })
  await control.listen()

  const hosts = options.hosts ?? [{}]
  const drivers = hosts.map((fake) => fakeDriver(fake))
  for (const [i, driver] of [...drivers, ...(options.engines ?? [])].entries()) {
    const host = `host${i + 1}`
    const network = fakeNetworkHost(host, bus, clock)
    const plug = { ready: async () => {} }
    const compute = startComputeHost({
      host,
      cloudId: '0000cafe',
      stateDir: `${stateDir}/${host}`,
      bus,
      driver,
      plug,
      log,
      clock,
    })
    await compute.ready
    t.after(async () => {
      await compute.stop()
      network.stop()
    })
  }
  await bus.idle()

  const tokens = {
    admin: await control.services.identity.mintToken({
      userId: seeded.adminUserId,
      projectId: seeded.adminProjectId,
      roles: ['admin', 'manager', 'member', 'reader'],
      ttlSeconds: 3600,
    }),
    demo: await control.services.identity.mintToken({
      userId: seeded.demoUserId,
      projectId: seeded.demoProjectId,
      roles: ['member', 'reader'],
      ttlSeconds: 3600,
    }),
  }
  return {
    control,
    config,
    database,
    drivers,
    as: (user) => caller(config, tokens[user], user === 'admin' ? seeded.adminProjectId : seeded.demoProjectId),
    settle: () => control.loops.settle(),
    idle: () => bus.idle(),
  }
}

function caller(config: Config, token: string, projectId: string): Caller {
  const call: Caller['call'] = async (method, service, path, body, headers = {}) => {
    const raw = body instanceof Buffer
    const reply = await fetch(urlOf(config, service) + path, {
      method,
      headers: {
        'x-auth-token': token,
        ...(body === undefined ? {} : { 'content-type': raw ? 'application/octet-stream' : 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? new Uint8Array(body) : JSON.stringify(body) }),
    })
    const text = await reply.text()
    const json = text && reply.headers.get('content-type')?.includes('json')
    return { status: reply.status, headers: Object.fromEntries(reply.headers), body: json ? JSON.parse(text) : text }
  }
  return {
    projectId,
    token,
    call,
    get: (service, path, headers) => call('GET', service, path, undefined, headers),
    post: (service, path, body, headers) => call('POST', service, path, body, headers),
    put: (service, path, body, headers) => call('PUT', service, path, body, headers),
    patch: (service, path, body, headers) => call('PATCH', service, path, body, headers),
    delete: (service, path) => call('DELETE', service, path),
  }
}

const base: Config = { ...testConfig, host: 'host1', tokenHours: 1, cpuAllocationRatio: 16, ramAllocationRatio: 1.5 }
