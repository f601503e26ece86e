import { deleteFlows } from '../../../machine/net/flows.ts'
import { ipBatch, ipBatchForced, type LinkAddresses, listLinkAddresses } from '../../../machine/net/links.ts'
import { createNamespace, deleteNamespace, writeSysctls } from '../../../machine/net/namespaces.ts'
import { applyNft } from '../../../machine/net/nft.ts'
import { listTranslations } from '../../../machine/net/translations.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import type { MeterReading, RouterLink, RouterOrder } from '../messages.ts'
import { aliasOf, bridge, gatewayLinkOf, namespaceOf, routerLinkOf, routerNamespaceOf, routerPeerOf } from './names.ts'
import type { Orders } from './orders.ts'
import { meterRules, readMeters } from './router-meters.ts'
import { routerRules, stillTranslated } from './router-rules.ts'
import { settleRoutes } from './routes.ts'

/** One router in this machine's kernel: its namespace, its ends on the networks, addresses, routes and translation. */
export interface CarriedRouter {
  /** Makes the kernel match the order held now; one round at a time. @throws CloudError when it cannot */
  settle(): Promise<void>
}

/** One end of the router as it is wanted: its name inside, and the words of its order. */
interface End {
  name: string
  link: RouterLink
  addresses: readonly string[]
}

export function carryRouter(
  routerId: string,
  cloudId: string,
  orders: Orders,
  counted: (readings: readonly MeterReading[]) => void,
): CarriedRouter {
  const namespace = routerNamespaceOf(routerId)
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<void> | null = null
  /** What the kernel holds, as far as this process wrote it; null is not known. */
  let rules: string | null = null
  let meters: string | null = null

  async function ensureNamespace(): Promise<void> {
    if (await createNamespace(namespace)) {
      rules = null
      meters = meterRules([]) // a new namespace counts nothing
    }
    await writeSysctls(namespace, {
      'net/ipv4/ip_forward': 1,
      'net/ipv6/conf/all/forwarding': 1,
      'net/ipv4/conf/all/rp_filter': 0,
      'net/ipv4/conf/default/rp_filter': 0,
      // Neighbours learn of a new address, or an old one at a new place, when its link is touched.
      'net/ipv4/conf/default/arp_notify': 1,
      'net/ipv6/conf/default/ndisc_notify': 1,
      'net/ipv6/conf/default/accept_ra': 0,
      // A flow that was forgotten may not come back from its middle, past its translation.
      'net/netfilter/nf_conntrack_tcp_loose': 0,
    })
    await ipBatch(namespace, [`link set lo up alias ${aliasOf(cloudId)}`])
  }

  /** Cables into each network's bridge. The far end is no `tap`: the rules for servers' ports leave it alone. */
  async function ensureCables(wanted: readonly End[], present: ReadonlyMap<string, LinkAddresses>): Promise<boolean> {
    const missing = wanted.filter(({ name }) => !present.has(name))
    for (const { name, link } of missing) {
      const peer = routerPeerOf(link.portId)
      const add =
        `link add ${peer} mtu ${link.mtu} up master ${bridge} type veth ` +
        `peer name ${name} address ${link.macAddress} mtu ${link.mtu} netns ${namespace}`
      // The other half may be left over from a namespace that is no more.
      const refusals = await ipBatchForced(namespaceOf(link.networkId), [`link delete ${peer}`, add])
      const refused = refusals.find(({ line }) => line !== `link delete ${peer}`)
      if (refused) throw new CloudError('internal', `ip ${add}: ${refused.message}`)
    }
    return missing.length > 0
  }

  async function ensureAddresses(wanted: readonly End[], present: ReadonlyMap<string, LinkAddresses>) {
    const fresh: string[] = []
    const lines = wanted.flatMap(({ name, link, addresses }) => {
      const now = present.get(name)
      const has = new Set(now?.addresses ?? [])
      const missing = addresses.filter((address) => !has.has(address))
      const isUp = now?.flags.includes('UP') === true
      if (missing.length > 0 || (link.adminStateUp && !isUp)) fresh.push(`link set ${name} address ${link.macAddress}`)
      return [
        ...(now && now.mtu !== link.mtu ? [`link set ${name} mtu ${link.mtu}`] : []),
        ...(now && now.address !== link.macAddress ? [`link set ${name} address ${link.macAddress}`] : []),
        ...missing.map((address) => `address replace ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`),
        ...(link.adminStateUp === isUp ? [] : [`link set ${name} ${link.adminStateUp ? 'up' : 'down'}`]),
      ]
    })
    await ipBatch(namespace, lines)
    return fresh
  }

  async function removeStale(wanted: readonly End[], present: ReadonlyMap<string, LinkAddresses>): Promise<void> {
    const names = new Map(wanted.map((end) => [end.name, new Set(end.addresses)]))
    const lines = [...present.values()].flatMap(({ ifname, addresses }) => {
      if (!isEnd(ifname)) return []
      const kept = names.get(ifname) ?? new Set()
      return addresses.filter((one) => !kept.has(one)).map((one) => `address delete ${one} dev ${ifname}`)
    })
    await ipBatchForced(namespace, lines)
  }

  async function translate(order: RouterOrder): Promise<void> {
    const wanted = routerRules(order)
    if (wanted === rules) return
    rules = null
    await applyNft(namespace, wanted)
    const ended = (await listTranslations(namespace)).filter((one) => !stillTranslated(order, one))
    await deleteFlows(
      namespace,
      ended.map(({ flow }) => flow),
    )
    rules = wanted
  }

  /** What was counted by the old rules is told before they go. */
  async function count(order: RouterOrder): Promise<void> {
    const wanted = meterRules(order.meters ?? [])
    if (wanted === meters) return
    if (meters !== meterRules([])) counted(await readMeters(namespace))
    meters = null
    await applyNft(namespace, wanted)
    meters = wanted
  }

  async function round(): Promise<void> {
    const order = orders.routers.get(routerId)
    if (!order) return
    if (order.wish === 'absent' || !order.adminStateUp) {
      await remove()
      return
    }
    const ends = endsOf(order)
    faultPoint('network.router.begun')
    await ensureNamespace()
    const before = byName(await listLinkAddresses(namespace))
    await removeLinks(before, ends)
    const plugged = await ensureCables(ends, before)
    faultPoint('network.router.plugged')
    // What an address stands for is settled before the address answers.
    await translate(order)
    const present = plugged ? byName(await listLinkAddresses(namespace)) : before
    const fresh = await ensureAddresses(ends, present)
    await removeStale(ends, present)
    await settleRoutes(namespace, order)
    await count(order)
    // A link given the address it has tells its neighbours of all its own (`arp_notify`).
    await ipBatchForced(namespace, fresh)
    faultPoint('network.router.filtered')
  }

  async function remove(): Promise<void> {
    if (meters !== null && meters !== meterRules([])) counted(await readMeters(namespace))
    rules = null
    meters = null
    const links = await listLinkAddresses(namespace).catch(() => [])
    // By name, because the links of a namespace go some time after it: the router may come back sooner.
    await removeLinks(byName(links), [])
    await deleteNamespace(namespace)
  }

  /** An end whose other half went with its network is of no use. */
  async function removeLinks(before: Map<string, LinkAddresses>, ends: readonly End[]): Promise<void> {
    const names = new Set(ends.map((end) => end.name))
    const stale = [...before.keys()].filter((name) => isEnd(name) && !names.has(name))
    await ipBatchForced(
      namespace,
      stale.map((name) => `link delete ${name}`),
    )
    for (const name of stale) before.delete(name)
  }

  return {
    settle() {
      next ??= running
        .catch(() => {})
        .then(() => {
          next = null
          const mine = round()
          running = mine
          return mine
        })
      return next
    },
  }
}

const isEnd = (name: string): boolean => /^q[rg]-/.test(name)

const byName = (links: readonly LinkAddresses[]): Map<string, LinkAddresses> =>
  new Map(links.map((link) => [link.ifname, link]))

function endsOf({ interfaces, gateway, floatingIps, portForwardings = [] }: RouterOrder): End[] {
  const inside = interfaces.map((link) => ({ name: routerLinkOf(link.portId), link, addresses: link.addresses }))
  if (!gateway) return inside
  const floating = [...floatingIps, ...portForwardings].map((one) => `${one.floatingIpAddress}/32`)
  const addresses = [...gateway.addresses, ...new Set(floating)]
  return [...inside, { name: gatewayLinkOf(gateway.portId), link: gateway, addresses }]
}
