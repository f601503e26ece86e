import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ipaddr from 'ipaddr.js'
import type { Logger } from '../../../platform/log.ts'
import type { NetworkOrder, PortOrder, RouterOrder, SecurityGroupOrder } from '../messages.ts'

/** An endpoint that Docker made for a port. Its id is new at every start of the container. */
export interface Endpoint {
  endpointId: string
  portId: string
  /** Set by `Join`: the container's namespace, once it is there. Null between `CreateEndpoint` and `Join`. */
  sandboxKey: string | null
  /** A further NIC on a network that the container is on already. Absent in files written before there was such. */
  twin?: boolean
  /** Not the container's first NIC. */
  further?: boolean
}

/** What a host was told, and what Docker asked of it: enough to serve Docker before control speaks again. */
export interface Orders {
  readonly networks: Map<string, NetworkOrder>
  readonly ports: Map<string, PortOrder>
  readonly groups: Map<string, SecurityGroupOrder>
  readonly routers: Map<string, RouterOrder>
  readonly endpoints: Map<string, Endpoint>
}
type Kind = keyof Orders
type Stored<K extends Kind> = Orders[K] extends Map<string, infer T> ? T : never

export interface OrderStore extends Orders {
  /** In memory at once; on disk when it resolves. */
  put<K extends Kind>(kind: K, id: string, value: Stored<K>): Promise<void>
  remove(kind: Kind, id: string): Promise<void>
}

/** Opens the folder, one small file an object. What cannot be read is left out: control will say it again. */
export async function openOrders(folder: string, log: Logger): Promise<OrderStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const orders: Orders = {
    networks: new Map(),
    ports: new Map(),
    groups: new Map(),
    routers: new Map(),
    endpoints: new Map(),
  }
  for (const file of await readdir(folder)) {
    const [, kind = '', id = ''] = /^(networks|ports|groups|routers|endpoints)-([0-9a-f-]+)\.json$/.exec(file) ?? []
    if (!id) {
      if (file.endsWith('.tmp')) await rm(join(folder, file), { force: true })
      continue
    }
    try {
      const value: unknown = JSON.parse(await readFile(join(folder, file), 'utf8'))
      const all: Map<string, unknown> = orders[kind as Kind]
      all.set(id, value)
    } catch (error) {
      log.warn({ err: error, file }, 'an order on disk cannot be read')
    }
  }

  // One writer a file: a later write waits for the one under way and takes its own value.
  const writing = new Map<string, Promise<void>>()
  const afterOthers = (path: string, work: () => Promise<void>): Promise<void> => {
    const mine = (writing.get(path) ?? Promise.resolve()).catch(() => {}).then(work)
    writing.set(path, mine)
    return mine.finally(() => {
      if (writing.get(path) === mine) writing.delete(path)
    })
  }
  const pathOf = (kind: Kind, id: string) => join(folder, `${kind}-${id}.json`)

  return {
    ...orders,
    put(kind, id, value) {
      const all: Map<string, unknown> = orders[kind]
      all.set(id, value)
      const path = pathOf(kind, id)
      return afterOthers(path, async () => {
        await writeFile(`${path}.tmp`, JSON.stringify(value), { mode: 0o600 })
        await rename(`${path}.tmp`, path)
      })
    },
    remove(kind, id) {
      orders[kind].delete(id)
      const path = pathOf(kind, id)
      return afterOthers(path, () => rm(path, { force: true }))
    },
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const mac = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i

/** The server that a port is plugged into; null for other devices. Its id becomes the name of a folder and a header. */
export const serverIdOf = ({ deviceId = '', wish }: PortOrder): string | null =>
  wish === 'bound' && uuid.test(deviceId) ? deviceId : null

/** @throws Error when a word of an order could not go into a command. Ids and addresses end up in rule sets and link names. */
export function checkOrder(order: Partial<Omit<NetworkOrder & PortOrder & SecurityGroupOrder, 'wish'>>): void {
  const need = (holds: boolean, what: string) => {
    if (!holds) throw new Error(`the order is malformed: ${what}`)
  }
  const id = (value: string) => need(uuid.test(value), `"${value}" is no id`)
  const address = (value: string) =>
    need(ipaddr.isValidCIDR(value) || ipaddr.isValid(value), `"${value}" is no address`)
  const hardware = (value: string) => need(mac.test(value), `"${value}" is no MAC address`)

  for (const value of [order.networkId, order.portId, order.groupId]) if (value !== undefined) id(value)
  for (const value of order.securityGroupIds ?? []) id(value)
  for (const text of order.dhcp?.addresses ?? []) address(text)
  for (const text of order.dhcp ? [order.dhcp.macAddress] : []) hardware(text)
  for (const text of order.peers ?? []) address(text)
  need(/^[a-z0-9.-]*$/i.test(order.dnsName ?? ''), `"${order.dnsName}" is no name`)
  if (order.macAddress !== undefined) hardware(order.macAddress)
  if (order.mtu !== undefined) need(Number.isInteger(order.mtu) && order.mtu >= 68, `MTU ${order.mtu}`)
  for (const { ipAddress } of order.fixedIps ?? []) address(ipAddress)
  for (const pair of order.allowedAddressPairs ?? []) {
    address(pair.ipAddress)
    if (pair.macAddress) hardware(pair.macAddress)
  }
  for (const { ipAddress, networkId } of order.members ?? []) {
    address(ipAddress)
    id(networkId)
  }
  for (const { cidr, gatewayIp, dnsNameservers, hostRoutes } of order.subnets ?? []) {
    for (const value of [cidr, ...(gatewayIp === null ? [] : [gatewayIp])]) address(value)
    for (const value of dnsNameservers) address(value)
    for (const route of hostRoutes) for (const value of [route.destination, route.nexthop]) address(value)
  }
  for (const rate of [order.qos?.ingress, order.qos?.egress]) {
    if (rate) need(Number.isInteger(rate.kbps) && Number.isInteger(rate.burstKbits), 'a rate is no whole number')
  }
  if (order.qos && order.qos.dscpMark !== null) {
    need(Number.isInteger(order.qos.dscpMark) && order.qos.dscpMark >= 0 && order.qos.dscpMark < 64, 'the DSCP mark')
  }
  for (const { remoteIpPrefix, remoteGroupId, remoteAddresses } of order.rules ?? []) {
    for (const value of remoteAddresses ?? []) address(value)
    if (remoteIpPrefix !== null) address(remoteIpPrefix)
    if (remoteGroupId !== null) id(remoteGroupId)
  }
}

/** The same for a router's. @throws Error */
export function checkRouterOrder(order: RouterOrder): void {
  const { routerId, interfaces, gateway, floatingIps, routes, portForwardings = [] } = order
  checkOrder({ networkId: routerId })
  for (const link of [...interfaces, ...(gateway ? [gateway] : [])]) {
    const { portId, networkId, macAddress, mtu } = link
    const fixedIps = link.addresses.map((ipAddress) => ({ subnetId: '', ipAddress }))
    checkOrder({ portId, networkId, macAddress, mtu, fixedIps })
  }
  const others = [
    ...(gateway?.nextHops ?? []),
    ...floatingIps.flatMap((one) => [one.floatingIpAddress, one.fixedIpAddress]),
    ...routes.flatMap((route) => [route.destination, route.nexthop]),
    ...portForwardings.flatMap((one) => [one.floatingIpAddress, one.fixedIpAddress]),
  ]
  checkOrder({ fixedIps: others.map((ipAddress) => ({ subnetId: '', ipAddress })) })
  for (const { labelId, rules } of order.meters ?? []) {
    checkOrder({ networkId: labelId })
    const prefixes = rules.flatMap((rule) => [rule.remotePrefix, rule.sourcePrefix, rule.destinationPrefix])
    checkOrder({ fixedIps: prefixes.flatMap((one) => (one === null ? [] : [{ subnetId: '', ipAddress: one }])) })
  }
  for (const { protocol, externalFirst, externalLast, internalFirst, internalLast } of portForwardings) {
    const ports = [externalFirst, externalLast, internalFirst, internalLast]
    const sound = /^[a-z]{3,4}$/.test(protocol) && ports.every((port) => Number.isInteger(port) && port > 0)
    if (!sound) throw new Error('the order is malformed: a port forwarding')
  }
}
