import { scoped } from '../../platform/auth/policy.ts'
import { createPolicy } from '../../platform/auth/policy-engine.ts'
import { urlOf } from '../../platform/config.ts'
import type { Db } from '../../platform/db/database.ts'
import type { Hosts } from '../../platform/hosts/hosts.ts'
import { createApp } from '../../platform/http/app.ts'
import type { Ground, Service, ServiceMigrations } from '../../platform/service.ts'
import type { IdentityService } from '../identity/index.ts'
import { migrations } from './db/migrations/index.ts'
import * as serverRows from './db/servers.ts'
import type { Deps } from './logic/deps.ts'
import { type Explanation, explain } from './logic/explain.ts'
import { checkFilters } from './logic/filters.ts'
import { HostView } from './logic/host-view.ts'
import * as hostLogic from './logic/hosts.ts'
import { computeQuotas } from './logic/quotas.ts'
import * as reports from './logic/reports.ts'
import * as snapshots from './logic/snapshots.ts'
import { statusOf } from './logic/states.ts'
import { readVendorData } from './logic/vendor-data.ts'
import { type HostInventory, type ServerReport, type SnapshotReport, subjects } from './messages.ts'
import { rules } from './policy.ts'
import { reclaimReconciler } from './reconcile/reclaims.ts'
import { serverReconciler } from './reconcile/servers.ts'
import { snapshotReconciler } from './reconcile/snapshots.ts'
import { consoleService } from './routes/console-service.ts'
import { computeFault } from './routes/fault.ts'
import { routes } from './routes/index.ts'
import { metadataApp } from './routes/metadata-service.ts'
import { versions } from './versions.ts'
import './db/tables.ts'

export { rules as computeRules } from './policy.ts'

export const computeMigrations: ServiceMigrations = { service: 'compute', migrations }

/** What `berth up` shows of the server it made. */
export interface Glance {
  name: string
  id: string
  status: string
  address: string | null
}

export interface ComputeService extends Service {
  /** The metadata service, on a port of its own. */
  readonly metadata: Service
  /** Serial consoles, on a port of their own. */
  readonly console: Service
  /** The oldest server of this name, in whatever project; null when there is none. */
  firstNamed(name: string): Promise<Glance | null>
  /** Why a server, by its id or name, is where it is. @throws CloudError `notFound`, `conflict` for several of a name */
  explain(name: string): Promise<Explanation>
  /** Those of `ids` that servers are made of. */
  imagesInUse(db: Db, ids: readonly string[]): Promise<ReadonlySet<string>>
}

/** The services below, as far as compute uses them. */
export type Lower = Omit<Deps, 'ground' | 'bus' | 'identity' | 'quotas' | 'vendorData' | 'hostView'> & {
  readonly identity: Pick<IdentityService, 'authenticate' | 'limits' | 'mintToken' | 'projects'>
  readonly hosts: Hosts
}

/** Compute API v2.1 and the control side of servers. Source: Compute API reference. */
export function createCompute(ground: Ground, lower: Lower): ComputeService {
  const { config, bus, log } = ground
  const quotas = computeQuotas(config, lower.identity.limits)
  const vendorData = readVendorData(config.vendorDataFile)
  const hostView = new HostView(lower.hosts, () => ground.clock.nowMs())
  const deps: Deps = { ...lower, ground, bus, quotas, vendorData, hostView }
  checkFilters(config.scheduler.enabledFilters)
  const app = createApp({
    service: 'compute',
    dialect: computeFault,
    policy: createPolicy([scoped(['project'], rules)], ground.policyOverrides, ground.config),
    authenticate: lower.identity.authenticate,
    identityUrl: `${urlOf(config, 'identity')}/v3`,
    log,
    microversions: versions,
    requestIdHeaders: ['x-compute-request-id'],
  })
  routes(app, deps)
  app.addHook('onResponse', async ({ method, url }) => {
    if (method !== 'GET' && /\/os-(services|aggregates)/.test(url)) hostView.forget()
  })

  const serverLoop = serverReconciler(deps)
  const snapshotLoop = snapshotReconciler(deps)
  const listens = [
    bus.subscribe<ServerReport>(subjects.report, (report) => reports.apply(deps, report)),
    bus.subscribe<HostInventory>(subjects.inventory, async (inventory) => {
      serverLoop.forget(inventory.host)
      snapshotLoop.forget(inventory.host)
      ground.nudge(snapshotLoop.name)
      await reports.applyInventory(deps, inventory)
    }),
    bus.subscribe<SnapshotReport>(subjects.snapshotReport, (report) => snapshots.apply(deps, report)),
    lower.hosts.onChange((host) => {
      if (host.role !== 'compute') return
      hostView.seen(host)
      hostLogic
        .record(deps, host)
        .catch((error) => log.error({ err: error, host: host.name }, 'a host is not recorded'))
    }),
  ]
  return {
    name: 'compute',
    app,
    loops: [serverLoop, snapshotLoop, reclaimReconciler(deps)],
    console: consoleService(deps, lower.identity.authenticate),
    metadata: { name: 'metadata', app: metadataApp(deps, lower.identity.authenticate), loops: [] },
    async stop() {
      for (const stop of listens) stop()
    },
    imagesInUse: serverRows.imagesInUse,
    async firstNamed(name) {
      const { read } = ground.database
      const server = await serverRows.findFirstNamed(read, name)
      if (!server) return null
      const ports = (await deps.network.serverPorts(read, [server.id])).get(server.id) ?? []
      const address = ports.flatMap((port) => port.fixedIps)[0]?.ipAddress ?? null
      return { name, id: server.id, status: statusOf(server), address }
    },
    explain: (name) => explain(deps, name),
  }
}
