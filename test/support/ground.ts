import { join } from 'node:path'
import type { TestContext } from 'node:test'
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

export const testConfig: Config = {
  stateDir: '',
  bind: '127.0.0.1',
  portBase: 0,
  publicHost: '',
  region: 'RegionOne',
  database: 'sqlite',
  logLevel: 'silent',
  host: 'node1',
  demo: false,
  engineSocket: '/nonexistent/docker.sock',
  engineOwn: false,
  engineUserNamespaces: 'auto',
  publicCidr: '198.18.4.0/24',
  publicNat: false,
  bus: 'local',
  roles: 'all',
  hostDownSeconds: 60,
  tunnelIp: '',
  metadataProxySharedSecret: 'metadata-secret',
  vendorDataFile: '',
  consoleTokenSeconds: 600,
  tokenHours: 12,
  securityCompliance: {
    lockoutFailureAttempts: 0,
    lockoutDurationSeconds: 1800,
    passwordExpiresDays: 0,
    uniqueLastPasswordCount: 0,
    minimumPasswordAgeDays: 0,
    passwordRegex: '',
    passwordRegexDescription: '',
    changePasswordUponFirstUse: false,
  },
  enforceScope: false,
  enforceNewDefaults: false,
  adminProject: 'admin',
  federation: {
    trustedProxies: '',
    proxySecret: '',
    headerPrefix: 'X-Federation-',
    remoteIdAttribute: '',
    trustedDashboards: '',
  },
  identityV2: true,
  cpuAllocationRatio: 4,
  ramAllocationRatio: 1,
  diskAllocationRatio: 1,
  scheduler: {
    enabledFilters:
      'ComputeFilter,AvailabilityZoneFilter,SameHostFilter,DifferentHostFilter,ImagePropertiesFilter,' +
      'ComputeCapabilitiesFilter,ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter',
    ...{ ramWeightMultiplier: 1, cpuWeightMultiplier: 1, diskWeightMultiplier: 1, ioOpsWeightMultiplier: -1 },
    ...{ softAffinityWeightMultiplier: 10, softAntiAffinityWeightMultiplier: 10 },
    ...{ buildFailureWeightMultiplier: 1_000_000, maxIoOpsPerHost: 8, maxInstancesPerHost: 50 },
  },
  quotas: { instances: 10, cores: 20, ramMiB: 51_200, keyPairs: 100 },
  reclaimInstanceInterval: 0,
  allowResizeToSameHost: true,
  imageSizeMaxBytes: 0,
  storageFlavor: 'local',
  storageConfig: '',
  imageStores: '',
  scrubMiBPerSecond: 8,
  registryReadOnly: false,
  registryNotifications: '',
  registryUpstreams: '',
  tls: { services: 'none', certificate: '', key: '' },
  imageImport: {
    allowedSchemes: 'http,https',
    disallowedSchemes: '',
    allowedHosts: '',
    disallowedHosts: '',
    allowedPorts: '80,443',
    disallowedPorts: '',
  },
  faults: false,
}
