import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { readConfig } from '../../src/config.ts'
import { openFileBlobs } from '../../src/platform/blobs/file-store.ts'
import { createLocalBus, type LocalBus } from '../../src/platform/bus/local.ts'
import { type Clock, isoOf } from '../../src/platform/clock.ts'
import type { Config } from '../../src/platform/config.ts'
import { migrate } from '../../src/platform/db/migrate.ts'
import { newLogger } from '../../src/platform/log.ts'
import type { Ground, ServiceMigrations } from '../../src/platform/service.ts'
import { type Open, openTestSqlite, temporaryDirectory } from './databases.ts'

/** A clock that runs, and can be pushed forward. */
export interface TestClock extends Clock {
  advanceMs(ms: number): void
}

export function testClock(): TestClock {
  let aheadMs = 0
  const nowMs = () => Date.now() + aheadMs
  return {
    nowMs,
    now: () => isoOf(nowMs()),
    advanceMs: (ms) => {
      aheadMs += ms
    },
  }
}

export interface TestGround extends Ground {
  readonly bus: LocalBus
  readonly clock: TestClock
  /** Loops nudged so far, in order. */
  readonly nudged: string[]
}

/** What a service stands on, all real and all gone after the test; SQLite unless told otherwise. */
export async function testGround(
  t: TestContext,
  services: readonly ServiceMigrations[],
  options: { open?: Open; config?: Partial<Config>; policyOverrides?: Ground['policyOverrides'] } = {},
): Promise<TestGround> {
  const stateDir = await temporaryDirectory(t)
  const log = newLogger('silent')
  const database = await (options.open ?? openTestSqlite)(t)
  await migrate(database, services)
  const bus = createLocalBus(log)
  t.after(() => bus.close())
  const nudged: string[] = []
  return {
    config: { ...testConfig, stateDir, ...options.config },
    cloudId: '0badc10d',
    database,
    bus,
    blobs: await openFileBlobs(join(stateDir, 'blobs'), log),
    nudge: (loop) => void nudged.push(loop),
    nudged,
    policyOverrides: options.policyOverrides ?? {},
    log,
    clock: testClock(),
  }
}

/** The defaults, but for what a test has of its own. */
export const testConfig: Config = {
  ...readConfig({}, { stateDir: '/nonexistent' }),
  stateDir: '',
  logLevel: 'silent',
  host: 'node1',
  demo: false,
  engineSocket: '/nonexistent/docker.sock',
  engineOwn: false,
  publicNat: false,
  metadataProxySharedSecret: 'metadata-secret',
  tokenHours: 12,
  cpuAllocationRatio: 4,
  ramAllocationRatio: 1,
}
