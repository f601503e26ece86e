import { join } from 'node:path'
import type { Engine } from '../../../machine/docker/engine.ts'
import { ipBatchForced } from '../../../machine/net/links.ts'
import { deleteNamespace, listNamespaces } from '../../../machine/net/namespaces.ts'
import type { Bus } from '../../../platform/bus/bus.ts'
import type { Clock } from '../../../platform/clock.ts'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import { type Heartbeat, heartbeatSubject } from '../../../platform/hosts/messages.ts'
import type { Logger } from '../../../platform/log.ts'
import {
  type MeterReadings,
  type NetworkFacts,
  type NetworkInventory,
  type NetworkOrder,
  type NetworkReport,
  type PortOrder,
  type RouterOrder,
  type SecurityGroupOrder,
  subjects,
} from '../messages.ts'
import { type CarriedNetwork, carryNetwork } from './carried.ts'
import { dnsmasqOf } from './dnsmasq.ts'
import { dockerNetworks } from './docker-networks.ts'
import { joinExternal } from './external.ts'
import { exists, firstAddress, isOurs, loadModules } from './machine-facts.ts'
import { type MetadataProxy, type MetadataUpstream, metadataProxy } from './metadata-proxy.ts'
import { dockerNetworkOf, namespaceOf, networkOfNamespace, socketOf, tapOf } from './names.ts'
import { networkDriver } from './network-driver.ts'
import { checkOrder, type OrderStore, openOrders, serverIdOf } from './orders.ts'
import { servePlugin } from './plugin-server.ts'
import { type ResolvConf, resolvConf } from './resolv-conf.ts'
import { type RouterAgent, routerAgent } from './router-agent.ts'
import { servedPorts } from './served-ports.ts'
import { standardPort } from './tunnel.ts'

export interface NetworkHostDeps {
  host: string
  cloudId: string
  stateDir: string
  bus: Bus
  engine: Engine
  log: Logger
  clock: Clock
  /** Masquerade what servers on external networks send beyond this machine. */
  publicNat: boolean
  /** Where other hosts send this host's tunnelled traffic; the machine's first address when not given. */
  tunnelIp?: string
  /** UDP; VXLAN's own when not given. The same on all hosts of a cloud. */
  tunnelPort?: number
  /** Where requests to the metadata address go; without it there is none. */
  metadata?: MetadataUpstream
  /** How long after control's first word what nobody asked for stays. */
  graceMs?: number
  inventoryEveryMs?: number
}

/** What a compute host asks of its machine's network host. */
export interface Plug {
  /**
   * Resolves when the orders of these ports are in the kernel and Docker knows these networks of its own, which are
   * called as `dockerNetworkOf` says; each endpoint names its port in `DriverOpts` under `portOption`.
   * @throws CloudError when a port cannot be served, or the engine is away
   */
  ready(portIds: readonly string[], dockerNetworks: readonly string[], signal: AbortSignal): Promise<void>
  /** Cuts ports off, or lets them speak again; for servers that are frozen, whose kernel would answer for them. */
  hold(portIds: readonly string[], held: boolean): Promise<void>
  /** The file that is to be a server's `/etc/resolv.conf`. It is kept until its last port goes. */
  resolvConf(serverId: string): Promise<string>
}

export interface NetworkHost {
  plug: Plug
  /** Resolves when what was on disk is in the kernel again, and Docker is answered. */
  ready: Promise<void>
  /** Stops listening; the kernel keeps all of it, so servers go on. */
  stop(): Promise<void>
}

const heartbeatEveryMs = 10_000
const engineTimeoutMs = 60_000

/** Starts the network role of a host. What it was told before is served at once; control's word comes when it comes. */
export function startNetworkHost(deps: NetworkHostDeps): NetworkHost {
  const { host, cloudId, bus, log, clock, graceMs = 60_000, inventoryEveryMs = 60_000 } = deps
  const docker = dockerNetworks(deps.engine, cloudId)
  const startedAt = clock.now()
  const opened = openOrders(join(deps.stateDir, 'host', 'network'), log)
  const tunnel = { localIp: deps.tunnelIp || firstAddress(), port: deps.tunnelPort ?? standardPort }
  const carriedNetworks = new Map<string, CarriedNetwork>()
  let portOrders: ReadonlyMap<string, PortOrder> | null = null
  const served = servedPorts(() => portOrders)
  const removed = new Map<string, number>()
  const external = { forwarding: new Set<4 | 6>(), script: '' }
  const atWork = new Set<Promise<unknown>>()
  const endings: (() => void)[] = []
  let closePlugin = async (): Promise<void> => {}
  let externalRound: Promise<unknown> = Promise.resolve()
  let spokenAtMs: number | null = null
  let metadata: MetadataProxy | null = null
  let resolv: ResolvConf | null = null
  let routers: RouterAgent | null = null
  let stopped = false

  const track = <T>(work: Promise<T>): Promise<T> => {
    atWork.add(work)
    void work.catch(() => {}).finally(() => atWork.delete(work))
    return work
  }
  const report = (
    kind: NetworkReport['kind'],
    id: string,
    generation: number,
    state: NetworkReport['state'],
    message: string | null = null,
  ) => {
    if (!stopped) bus.publish(subjects.report, { host, kind, id, generation, state, message } satisfies NetworkReport)
  }

  function carried(orders: OrderStore, networkId: string): CarriedNetwork {
    const known = carriedNetworks.get(networkId) ?? carryNetwork(networkId, { cloudId, log, metadata, tunnel }, orders)
    carriedNetworks.set(networkId, known)
    return known
  }

  /** Whether an order is to be carried out: not when a newer one, or the removal it precedes, is known. */
  function isNews(id: string, order: { generation: number }, held: { generation: number } | undefined): boolean {
    spokenAtMs ??= clock.nowMs()
    return order.generation >= Math.max(held?.generation ?? 0, removed.get(id) ?? 0)
  }
  function remember(id: string, generation: number): void {
    removed.set(id, generation)
    if (removed.size > 10_000) removed.delete(removed.keys().next().value!)
  }

  function settleExternal(orders: OrderStore): Promise<Map<string, Error>> {
    const mine = externalRound
      .catch(() => {})
      .then(() => {
        const networks = [...orders.networks.values()].filter((n) => n.external && n.wish === 'present')
        return joinExternal(cloudId, networks, deps.publicNat, external)
      })
    externalRound = mine
    return mine
  }

  async function onNetwork(orders: OrderStore, order: NetworkOrder): Promise<void> {
    const { networkId: id, generation } = order
    const before = orders.networks.get(id)
    if (!isNews(id, order, before)) return
    try {
      checkOrder(order)
      const inUse = [...orders.ports.values()].some((port) => port.networkId === id && port.wish === 'bound')
      if (order.wish === 'absent' && inUse)
        throw new CloudError('conflict', `network ${id} still has ports on this host`)
      await orders.put('networks', id, order)
      if (order.wish === 'absent') {
        await carried(orders, id).settle()
        await docker.removeAll(id, AbortSignal.timeout(engineTimeoutMs))
        if (before?.external) await settleExternal(orders)
        if (orders.networks.get(id) !== order) return
        await orders.remove('networks', id)
        carriedNetworks.delete(id)
        remember(id, generation)
        return report('network', id, generation, 'absent')
      }
      const failed = await carried(orders, id).settle()
      settled(orders, id, failed)
      const unjoined = order.external || before?.external ? (await settleExternal(orders)).get(id) : undefined
      if (unjoined) throw unjoined
      await docker.ensure(dockerNetworkOf(id, 0), AbortSignal.timeout(engineTimeoutMs))
      if (orders.networks.get(id) === order) report('network', id, generation, 'present')
      const onIt = [...orders.ports.values()].filter((port) => port.networkId === id)
      for (const serverId of new Set(onIt.map(serverIdOf))) if (serverId) await resolv?.settle(serverId)
      await routers?.networkReady(id)
    } catch (error) {
      log.warn({ err: error, network: id }, 'a network order failed')
      report('network', id, generation, 'error', messageOf(error))
    }
  }

  /** After a round: which ports are served now, for those who wait and for control. */
  function settled(orders: OrderStore, networkId: string, failed: ReadonlyMap<string, string>): void {
    for (const port of orders.ports.values()) {
      if (port.networkId !== networkId || port.wish !== 'bound' || served.generationOf(port.portId) === port.generation)
        continue
      const message = failed.get(port.portId)
      if (message === undefined) {
        served.served(port.portId, port.generation)
        reportPort(orders, port.portId)
      } else {
        served.refused(port.portId, message)
        report('port', port.portId, port.generation, 'error', message)
      }
    }
  }

  function reportPort(orders: OrderStore, portId: string): void {
    const generation = served.generationOf(portId)
    if (generation === undefined) return
    const plugged = [...orders.endpoints.values()].some((e) => e.portId === portId && e.sandboxKey !== null)
    report('port', portId, generation, plugged ? 'active' : 'down')
  }

  async function onPort(orders: OrderStore, order: PortOrder): Promise<void> {
    const { portId: id, generation, networkId } = order
    const before = orders.ports.get(id)
    if (!isNews(id, order, before)) return
    try {
      checkOrder(order)
      served.begin(id)
      await orders.put('ports', id, order)
      if (order.wish === 'bound') {
        if (!orders.networks.has(networkId)) return // the network's own order brings its ports along
        const failed = await carried(orders, networkId).settle()
        return settled(orders, networkId, failed)
      }
      await carried(orders, networkId).settle()
      if (orders.ports.get(id) !== order) return
      for (const endpoint of [...orders.endpoints.values()])
        if (endpoint.portId === id) await orders.remove('endpoints', endpoint.endpointId)
      const serverId = before ? serverIdOf(before) : null
      await orders.remove('ports', id)
      if (serverId && ![...orders.ports.values()].some((port) => serverIdOf(port) === serverId))
        await resolv?.remove(serverId)
      remember(id, generation)
      report('port', id, generation, 'absent')
    } catch (error) {
      log.warn({ err: error, port: id }, 'a port order failed')
      served.refused(id, messageOf(error))
      report('port', id, generation, 'error', messageOf(error))
    }
  }

  async function onGroup(orders: OrderStore, order: SecurityGroupOrder): Promise<void> {
    const { groupId: id, generation } = order
    if (!isNews(id, order, orders.groups.get(id))) return
    try {
      checkOrder(order)
      if (order.wish === 'absent') {
        await orders.remove('groups', id)
        remember(id, generation)
      } else await orders.put('groups', id, order)
      const touched = [...carriedNetworks.values()].filter((network) => network.usesGroup(id))
      await Promise.all(touched.map((network) => network.settle()))
      report('group', id, generation, order.wish)
    } catch (error) {
      log.warn({ err: error, group: id }, 'a security group order failed')
      report('group', id, generation, 'error', messageOf(error))
    }
  }

  function heartbeat(orders: OrderStore): void {
    const [networks, ports] = [orders.networks.size, orders.ports.size]
    const facts = { tunnelIp: tunnel.localIp, networks, ports } satisfies NetworkFacts
    bus.publish(heartbeatSubject, { host, role: 'network', startedAt, facts } satisfies Heartbeat)
  }

  function inventory(orders: OrderStore): void {
    const networks = [...orders.networks.values()].filter((n) => n.wish === 'present').map((n) => n.networkId)
    const ports = [...carriedNetworks.values()].flatMap((network) => network.cabled())
    const known = [...orders.routers.values()].filter((r) => r.wish === 'present').map((r) => r.routerId)
    bus.publish(subjects.inventory, { host, networks, ports, routers: known } satisfies NetworkInventory)
  }

  /** Takes away what this cloud has on the machine and no order speaks for: what was left by a crash, or a lost order. */
  async function sweep(orders: OrderStore): Promise<void> {
    if (spokenAtMs === null || clock.nowMs() - spokenAtMs < graceMs) return
    await routers?.sweep() // before the networks that they hang on
    for (const namespace of await listNamespaces()) {
      const networkId = networkOfNamespace(namespace)
      if (networkId === null || orders.networks.has(networkId)) continue
      if (!(await isOurs(namespace, cloudId))) continue
      log.info({ network: networkId }, 'removing a network that nobody asked for')
      await dnsmasqOf(cloudId, networkId).stop()
      await deleteNamespace(namespace)
    }
    await docker.refresh((networkId) => orders.networks.has(networkId), AbortSignal.timeout(engineTimeoutMs))
  }

  async function start(): Promise<void> {
    const orders = await opened
    portOrders = orders.ports
    await loadModules()
    resolv = resolvConf(cloudId, orders)
    if (deps.metadata) metadata = metadataProxy(deps.metadata, orders, log)
    for (const endpoint of [...orders.endpoints.values()])
      if (endpoint.sandboxKey !== null && !(await exists(endpoint.sandboxKey)))
        await orders.remove('endpoints', endpoint.endpointId) // the container went while we were away
    routers = routerAgent({
      ...{ cloudId, log, orders, isNews, remember },
      report: (id, generation, state, message) => report('router', id, generation, state, message),
      counted: (readings) => {
        if (readings.length > 0) bus.publish(subjects.meters, { host, readings } satisfies MeterReadings)
      },
      ensureNetwork: (id) => carried(orders, id).settle(),
    })
    const methods = networkDriver({
      orders,
      log,
      carried: (id) => carried(orders, id),
      changed: (portId) => reportPort(orders, portId),
      activated: () => docker.forget(),
    })
    if (stopped) return
    closePlugin = await servePlugin(socketOf(cloudId), methods, log)
    await settleExternal(orders).catch((error) => log.warn({ err: error }, 'external networks are not joined'))
    const adoptions = [...orders.networks.keys()].map(async (id) =>
      settled(orders, id, await carried(orders, id).settle()),
    )
    for (const adopted of await Promise.allSettled(adoptions))
      if (adopted.status === 'rejected') log.warn({ err: adopted.reason }, 'a network could not be taken up again')
    await settleExternal(orders).then(
      (failed) =>
        failed.forEach((err, network) => void log.warn({ err, network }, 'an external network is not joined')),
      (err) => log.warn({ err }, 'external networks are not joined'),
    )
    await routers.adopt()
    if (stopped) return

    endings.push(
      bus.subscribe<NetworkOrder>(subjects.network(host), (order) => track(onNetwork(orders, order))),
      bus.subscribe<PortOrder>(subjects.port(host), (order) => track(onPort(orders, order))),
      bus.subscribe<RouterOrder>(subjects.router(host), (order) => track(routers!.onOrder(order))),
      bus.subscribe<SecurityGroupOrder>(subjects.group(host), (order) => track(onGroup(orders, order))),
    )
    const beat = setInterval(() => heartbeat(orders), heartbeatEveryMs)
    const minute = setInterval(() => {
      inventory(orders)
      if (routers) track(routers.readMeters()).catch((error) => log.warn({ err: error }, 'meters cannot be read'))
      for (const network of carriedNetworks.values()) network.check()
      track(sweep(orders)).catch((error) => log.warn({ err: error }, 'what nobody asked for could not be removed'))
    }, inventoryEveryMs)
    endings.push(
      () => clearInterval(beat),
      () => clearInterval(minute),
    )
    heartbeat(orders)
    inventory(orders)
  }

  const ready = start()
  ready.catch((error) => log.error({ err: error }, 'the network host does not start'))

  return {
    ready,
    plug: {
      async ready(portIds, names, signal) {
        await Promise.all(portIds.map((portId) => served.wait(portId, signal)))
        await Promise.all(names.map((name) => docker.ensure(name, signal)))
        const orders = portIds.flatMap((portId) => portOrders?.get(portId) ?? [])
        for (const serverId of new Set(orders.map(serverIdOf))) if (serverId) await resolv?.settle(serverId)
      },
      async hold(portIds, held) {
        await ready
        const ports = portIds.flatMap((portId) => portOrders?.get(portId) ?? [])
        for (const { portId, networkId } of ports)
          await ipBatchForced(namespaceOf(networkId), [`link set ${tapOf(portId)} ${held ? 'down' : 'up'}`])
      },
      async resolvConf(serverId) {
        await ready
        return resolv!.pathOf(serverId)
      },
    },
    async stop() {
      stopped = true
      await ready.catch(() => {})
      for (const end of endings.splice(0).reverse()) end()
      // What is at work may wait for the engine, and the engine for its plug-in: that goes last.
      await Promise.allSettled(atWork)
      await metadata?.closeAll()
      await closePlugin()
    },
  }
}
