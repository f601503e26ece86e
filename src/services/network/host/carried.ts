import { ipBatch, ipBatchForced, linkExists, listLinks } from '../../../machine/net/links.ts'
import { createNamespace, deleteNamespace, writeSysctls } from '../../../machine/net/namespaces.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import type { NetworkOrder, PortOrder } from '../messages.ts'
import { filtersOf } from './filter-state.ts'
import { localEndOf, settleLocalEnd } from './local-end.ts'
import { aliasOf, bridge, hostLinkOf, namespaceOf, peerOf, tapOf, uplink } from './names.ts'
import { networkServices, type ServicesDeps } from './network-services.ts'
import type { Orders } from './orders.ts'
import { shapingOf } from './shaping.ts'
import { settleTunnel, type TunnelEnd } from './tunnel.ts'

/** One network in this machine's kernel: its namespace, bridge, cables and rules. */
export interface CarriedNetwork {
  /**
   * Makes the kernel match the orders held now. One round at a time; whoever asks while one runs waits for the next,
   * which serves all of them. Answers why a port could not be served, by port id.
   * @throws CloudError when the network as a whole cannot be
   */
  settle(): Promise<ReadonlyMap<string, string>>
  /** The name of the cable's end that Docker moves into the container; it exists in our namespace then. */
  cableFor(port: PortOrder): Promise<string>
  usesGroup(groupId: string): boolean
  /** Looks after what may have ended by itself. */
  check(): void
  /** Ports whose cable is there. */
  cabled(): string[]
}

/** A Linux bridge takes 1,023 ports; one is kept for the machine, one for other hosts. */
const portsMaximum = 1000

export interface CarryDeps extends ServicesDeps {
  tunnel: TunnelEnd
}

export function carryNetwork(networkId: string, deps: CarryDeps, orders: Orders): CarriedNetwork {
  const { cloudId } = deps
  const namespace = namespaceOf(networkId)
  const services = networkServices(networkId, deps)
  /** The tunnel as it is in the kernel; null is not known. */
  let tunnelled: string | null = null
  /** The bridge's own end as it is in the kernel; null is not known. */
  let localEnd: string | null = null
  const filters = filtersOf(networkId, namespace, orders)
  const shaping = shapingOf(namespace)
  /** Taps in the namespace, or null before it is known. */
  let taps: Set<string> | null = null
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<ReadonlyMap<string, string>> | null = null

  const exclusively = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = running.catch(() => {}).then(work)
    running = mine
    return mine
  }
  const boundHere = () => [...orders.ports.values()].filter((p) => p.networkId === networkId && p.wish === 'bound')

  /** The namespace with its bridge and empty rules: nothing passes between ports before they have rules. */
  async function ensureNamespace(mtu: number): Promise<Set<string>> {
    if (taps) return taps
    await createNamespace(namespace)
    const links = await listLinks(namespace)
    if (!links.some((link) => link.ifname === bridge && link.ifalias === aliasOf(cloudId))) {
      // The bridge and its ports are to be no IPv6 neighbours themselves.
      await writeSysctls(namespace, { 'net/ipv6/conf/default/disable_ipv6': 1 })
      await ipBatchForced(namespace, [`link add ${bridge} type bridge`])
      filters.forget()
      await filters.apply([]) // one that was there keeps its rules until all of them are replaced at once
    }
    await writeSysctls(namespace, {
      'net/bridge/bridge-nf-call-iptables': 1,
      'net/bridge/bridge-nf-call-ip6tables': 1,
      'net/netfilter/nf_conntrack_tcp_loose': 0,
      // A new namespace takes these over from the machine; this one routes nothing.
      'net/ipv4/ip_forward': 0,
      'net/ipv4/conf/all/rp_filter': 0,
      [`net/ipv4/conf/${bridge}/rp_filter`]: 0,
    })
    const settings = 'stp_state 0 mcast_snooping 0 forward_delay 0 nf_call_iptables 1 nf_call_ip6tables 1'
    await ipBatch(namespace, [
      `link set ${bridge} type bridge ${settings}`,
      'link set lo up',
      `link set ${bridge} mtu ${mtu} up alias ${aliasOf(cloudId)}`, // the mark comes last: all before it is done
    ])
    taps = new Set(links.flatMap(({ ifname }) => (ifname.startsWith('tap') ? [ifname] : [])))
    return taps
  }

  /** The engine's namespace is ours: the far end of a cable waits there until Docker moves it. */
  const cable = ({ portId, macAddress, mtu }: PortOrder) =>
    `link add ${tapOf(portId)} mtu ${mtu} up master ${bridge} type veth ` +
    `peer name ${peerOf(portId)} address ${macAddress} mtu ${mtu} netns ${process.pid}`

  async function ensureCables(known: Set<string>, ports: readonly PortOrder[], failed: Map<string, string>) {
    const missing = ports.filter((port) => !known.has(tapOf(port.portId)))
    for (const port of missing.splice(Math.max(0, portsMaximum - known.size)))
      failed.set(port.portId, `network ${networkId} has ${portsMaximum} ports on this host already`)
    if (missing.length === 0) return
    faultPoint('network.plug.begun')
    const refusals = await ipBatchForced(namespace, missing.map(cable))
    for (const port of missing) {
      const refused = refusals.find(({ line }) => line === cable(port))
      if (refused) failed.set(port.portId, refused.message)
      else known.add(tapOf(port.portId))
    }
    if (refusals.length > 0 && failed.size === 0) throw new CloudError('internal', refusals[0]!.message)
    faultPoint('network.plug.linked')
  }

  async function removeCables(known: Set<string>, names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    faultPoint('network.unplug.begun')
    await ipBatchForced(
      namespace,
      names.map((name) => `link delete ${name}`),
    )
    for (const name of names) known.delete(name)
    faultPoint('network.unplug.removed')
  }

  async function round(): Promise<ReadonlyMap<string, string>> {
    const failed = new Map<string, string>()
    const order = orders.networks.get(networkId)
    if (!order || order.wish === 'absent') {
      if (!order) return failed
      await remove()
      return failed
    }
    const known = await ensureNamespace(order.mtu)
    const ports = boundHere()
    const wanted = new Set(ports.map((port) => tapOf(port.portId)))
    await removeCables(
      known,
      [...known].filter((name) => !wanted.has(name)),
    )
    await ensureCables(known, ports, failed)
    await shaping.settle(ports.filter((port) => known.has(tapOf(port.portId))))
    await ensureLocalEnd(order)
    await filters.apply(ports)
    await ensureTunnel(order)
    faultPoint('network.plug.filtered')
    services.settle(
      order,
      ports.toSorted((a, b) => (a.portId < b.portId ? -1 : 1)), // the same files whatever order they were told in
    )
    return failed
  }

  async function ensureLocalEnd(order: NetworkOrder): Promise<void> {
    const end = localEndOf(order)
    const wanted = JSON.stringify(end)
    if (wanted === localEnd) return
    localEnd = null
    await settleLocalEnd(namespace, end)
    filters.redirectTo(end.macAddress)
    localEnd = wanted
  }

  async function ensureTunnel(order: NetworkOrder): Promise<void> {
    const wanted = JSON.stringify([order.vni, order.mtu, order.peers])
    if (wanted === tunnelled) return
    tunnelled = null
    await settleTunnel(namespace, order, deps.tunnel)
    tunnelled = wanted
  }

  async function remove(): Promise<void> {
    tunnelled = null
    await services.remove()
    localEnd = null
    if (orders.networks.get(networkId)?.external) await ipBatchForced(null, [`link delete ${hostLinkOf(networkId)}`])
    await deleteNamespace(namespace)
    taps = null
    filters.forget()
  }

  return {
    settle() {
      // In a later turn, so that orders which come together are served together.
      next ??= exclusively(async () => {
        await new Promise((resolve) => setImmediate(resolve))
        next = null
        return round()
      })
      return next
    },

    cableFor: (port) =>
      exclusively(async () => {
        const name = peerOf(port.portId)
        if (await linkExists(name)) return name
        const order = orders.networks.get(networkId)
        if (!order || order.wish === 'absent') throw new CloudError('notFound', `network ${networkId} is not here`)
        const known = await ensureNamespace(order.mtu)
        // The other end may be in the namespace of a container that is no more.
        await ipBatchForced(namespace, known.has(tapOf(port.portId)) ? [`link delete ${tapOf(port.portId)}`] : [])
        await ipBatch(namespace, [cable(port)])
        known.add(tapOf(port.portId))
        shaping.forget(port.portId)
        await shaping.settle(boundHere().filter((one) => known.has(tapOf(one.portId))))
        return name
      }),

    check: () => services.check(),
    usesGroup: (groupId) => filters.uses(groupId),
    cabled: () => boundHere().flatMap(({ portId }) => (taps?.has(tapOf(portId)) ? [portId] : [])),
  }
}

/** The bridge's cable to the machine itself, for external networks. Repeatable. */
export async function ensureUplink(networkId: string, cloudId: string, mtu: number): Promise<void> {
  const link = hostLinkOf(networkId)
  if (!(await linkExists(link))) {
    const add = `link add ${uplink} mtu ${mtu} up master ${bridge} type veth peer name ${link} address ${macOf(networkId)} mtu ${mtu} netns ${process.pid}`
    await ipBatch(namespaceOf(networkId), [add])
  }
  await ipBatch(null, [`link set ${link} up alias ${aliasOf(cloudId)}`])
}

/** The same whenever the cable is made anew: servers remember their gateway's. */
const macOf = (networkId: string): string => `02:${networkId.replaceAll('-', '').slice(0, 10).match(/../g)!.join(':')}`
