import type { Authenticate, Context } from '../../platform/auth/context.ts'
import { scoped } from '../../platform/auth/policy.ts'
import { createPolicy } from '../../platform/auth/policy-engine.ts'
import { urlOf } from '../../platform/config.ts'
import type { Db, Trx } from '../../platform/db/database.ts'
import type { Hosts } from '../../platform/hosts/hosts.ts'
import { createApp } from '../../platform/http/app.ts'
import type { LimitStore } from '../../platform/quota/limits.ts'
import type { Ground, Service } from '../../platform/service.ts'
import { type ComputeGroups, computeGroups } from './logic/compute-groups.ts'
import { type GuestNic, guestNics } from './logic/guest-nics.ts'
import { networkQuotas } from './logic/quotas.ts'
import * as seeding from './logic/seed.ts'
import * as interfaces from './logic/server-interfaces.ts'
import * as servers from './logic/servers.ts'
import { networkPolicy } from './policy.ts'
import { groupsReconciler } from './reconcile/groups.ts'
import { networksReconciler } from './reconcile/networks.ts'
import { portsReconciler } from './reconcile/ports.ts'
import { listen } from './reconcile/reports.ts'
import { routersReconciler } from './reconcile/routers.ts'
import { addressGroupRoutes, addressScopeRoutes } from './routes/address-plans.ts'
import { agentRoutes } from './routes/agents.ts'
import { autoTopologyRoutes } from './routes/auto-topology.ts'
import { extensionRoutes } from './routes/extensions.ts'
import { networkFault } from './routes/fault.ts'
import { floatingIpRoutes } from './routes/floating-ips.ts'
import { ipAvailabilityRoutes } from './routes/ip-availability.ts'
import { meteringRoutes } from './routes/metering.ts'
import { networkRoutes } from './routes/networks.ts'
import { portBindingRoutes } from './routes/port-bindings.ts'
import { portForwardingRoutes } from './routes/port-forwardings.ts'
import { portRoutes } from './routes/ports.ts'
import { qosRoutes } from './routes/qos.ts'
import { quotaRoutes } from './routes/quotas.ts'
import { rbacPolicyRoutes } from './routes/rbac-policies.ts'
import { routerRoutes } from './routes/routers.ts'
import { securityGroupRuleRoutes } from './routes/security-group-rules.ts'
import { securityGroupRoutes } from './routes/security-groups.ts'
import { subnetPoolRoutes } from './routes/subnet-pools.ts'
import { subnetRoutes } from './routes/subnets.ts'
import { versionRoutes } from './routes/versions.ts'

export { counters as networkCounters } from './db/counters.ts'
export { networkMigrations } from './db/migrations.ts'
export { removeEverything } from './host/remove.ts'
export type { ComputeGroup, ComputeGroupRule, ComputeGroups } from './logic/compute-groups.ts'
export type { GuestNic } from './logic/guest-nics.ts'
export type { SeedWishes } from './logic/seed.ts'
export type { ServerPort, ServerWishes } from './logic/servers.ts'
export { networkPolicy as networkRules } from './policy.ts'

export interface NetworkService extends Service {
  /**
   * In the server's own transaction: makes and binds the ports a server asked for, in NIC order. Nudge `network.ports`
   * after it. @throws CloudError with Nova's texts
   */
  plugServer(trx: Trx, ctx: Context, wanted: servers.ServerWishes & { host: string }): Promise<servers.ServerPort[]>
  /** Checks the same wishes without making anything, before a host is chosen. */
  checkNetworks(db: Db, ctx: Context, wanted: servers.ServerWishes): Promise<void>
  /** Deletes the ports made by plugServer and frees the user's own. Repeatable. */
  unplugServer(trx: Trx, serverId: string): Promise<void>
  /** One more NIC for a server, or one less; nudge `network.ports` after it. @throws CloudError with Nova's texts */
  attachPort(trx: Trx, ctx: Context, wanted: servers.ServerWishes & { host: string }): Promise<servers.ServerPort>
  detachPort(trx: Trx, serverId: string, portId: string): Promise<void>
  /** One more address on a network that the server is on, or one less. @throws CloudError `badRequest` */
  addServerAddress(trx: Trx, serverId: string, networkId: string): Promise<void>
  removeServerAddress(trx: Trx, serverId: string, address: string): Promise<void>
  /** Binds a server's ports to another host, or (null) to none; they stay its own. Nudge `network.ports` after it. */
  moveServer(trx: Trx, serverId: string, host: string | null): Promise<void>
  /** One query a page of servers; in NIC order. */
  serverPorts(db: Db, serverIds: readonly string[]): Promise<Map<string, servers.ServerPort[]>>
  /** What a server is told of its NICs, in their order. */
  guestNics(db: Db, serverId: string): Promise<GuestNic[]>
  /** Security groups for Compute's proxies of them. */
  readonly computeGroups: ComputeGroups
  /** The networks of a new cloud: `public`, `private` (admin's) and `demo-private`. Repeatable: only the first time counts. */
  seed(wishes: seeding.SeedWishes): Promise<void>
}

/** Neutron v2: the control side. */
export function createNetwork(
  ground: Ground,
  identity: { authenticate: Authenticate; limits: LimitStore },
  hosts: Hosts,
): NetworkService {
  const policy = createPolicy([scoped(['project'], networkPolicy)], ground.policyOverrides, ground.config)
  const quotas = networkQuotas(identity.limits)
  const deps = { database: ground.database, clock: ground.clock, nudge: ground.nudge, policy, quotas, hosts }
  const app = createApp({
    service: 'network',
    dialect: networkFault,
    policy,
    authenticate: identity.authenticate,
    identityUrl: `${urlOf(ground.config, 'identity')}/v3`,
    log: ground.log,
    // A bulk create of a thousand ports.
    bodyLimit: 1_048_576,
  })
  // Neutron takes a body that says nothing of its kind for JSON, and clients rely on that.
  app.addHook('onRequest', async ({ headers }) => {
    if (headers['content-length'] !== undefined) headers['content-type'] ??= 'application/json'
  })
  versionRoutes(app)
  extensionRoutes(app)
  networkRoutes(app, deps)
  subnetRoutes(app, deps)
  portRoutes(app, deps)
  routerRoutes(app, deps)
  floatingIpRoutes(app, deps)
  securityGroupRoutes(app, deps)
  securityGroupRuleRoutes(app, deps)
  quotaRoutes(app, deps)
  rbacPolicyRoutes(app, deps)
  subnetPoolRoutes(app, deps)
  addressScopeRoutes(app, deps)
  addressGroupRoutes(app, deps)
  agentRoutes(app, deps)
  ipAvailabilityRoutes(app, deps)
  autoTopologyRoutes(app, deps)
  qosRoutes(app, deps)
  meteringRoutes(app, deps)
  portForwardingRoutes(app, deps)
  portBindingRoutes(app, deps)

  const orders = { database: ground.database, bus: ground.bus, clock: ground.clock, nudge: ground.nudge, hosts }
  const networks = networksReconciler(orders)
  const groups = groupsReconciler(orders)
  let silence: (() => void) | null = null
  return {
    name: 'network',
    app,
    loops: [networks, groups, routersReconciler(orders), portsReconciler(orders, [networks, groups])],
    async start() {
      silence = listen(orders)
    },
    async stop() {
      silence?.()
    },
    plugServer: (trx, ctx, wanted) => servers.plug(trx, deps, ctx, wanted),
    checkNetworks: (db, ctx, wanted) => servers.check(db, deps, ctx, wanted),
    unplugServer: (trx, serverId) => servers.unplug(trx, deps, serverId),
    attachPort: (trx, ctx, wanted) => interfaces.attach(trx, deps, ctx, wanted),
    detachPort: (trx, serverId, portId) => interfaces.detach(trx, deps, serverId, portId),
    addServerAddress: (trx, serverId, networkId) => interfaces.addAddress(trx, serverId, networkId),
    removeServerAddress: (trx, serverId, address) => interfaces.removeAddress(trx, serverId, address),
    moveServer: (trx, serverId, host) => servers.move(trx, serverId, host),
    serverPorts: (db, serverIds) => servers.ofServers(db, serverIds),
    guestNics,
    computeGroups: computeGroups(deps),
    seed: (wishes) => seeding.seed(deps, wishes),
  }
}
