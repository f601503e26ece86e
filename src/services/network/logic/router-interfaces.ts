import type { Context } from '../../../platform/auth/context.ts'
import type { Trx } from '../../../platform/db/database.ts'
import * as allocationRows from '../db/allocations.ts'
import * as floatingRows from '../db/floating-ips.ts'
import * as hostRows from '../db/hosts.ts'
import * as forwardingRows from '../db/port-forwardings.ts'
import * as portRows from '../db/ports.ts'
import { isOpenTo } from '../db/rbac.ts'
import * as routerRows from '../db/routers.ts'
import * as subnetRows from '../db/subnets.ts'
import { contains, parseCidr, parseIp } from './addresses.ts'
import { bind, removePort } from './bindings.ts'
import { type Deps, loops } from './deps.ts'
import { badRequest, portNotFound, subnetNotFound } from './errors.ts'
import { insert as insertPort, setAddresses } from './ports.ts'
import {
  badRouter,
  interfaceInUseByFloatingIp,
  interfaceInUseByRoute,
  interfaceNotFound,
  interfaceNotFoundForSubnet,
  portHasDevice,
} from './router-errors.ts'
import type { Route } from './router-resources.ts'
import { refuseOverlap } from './router-rules.ts'
import { get, routerPort } from './routers.ts'
import { isUuid, shown } from './values.ts'

export interface InterfaceWish {
  subnet_id?: string
  port_id?: string
}

/** What is told of an interface that came or went. */
export interface InterfaceInfo {
  id: string
  tenant_id: string
  port_id: string
  network_id: string
  subnet_id: string
  subnet_ids: string[]
}

type Caller = Pick<Context, 'isAdmin' | 'projectId'>

/** The body of add and remove. @throws CloudError `badRequest` */
export function acceptInterface(body: unknown, adding: boolean): InterfaceWish {
  const wish = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const { port_id, subnet_id } = wish
  if (port_id === undefined && subnet_id === undefined) throw badRouter('Either subnet_id or port_id must be specified')
  for (const id of [port_id, subnet_id]) {
    if (id !== undefined && (typeof id !== 'string' || !isUuid(id)))
      throw badRouter(`'${shown(id)}' is not a valid UUID`)
  }
  if (adding && port_id !== undefined && subnet_id !== undefined) {
    throw badRouter('Cannot specify both subnet-id and port-id')
  }
  return { ...(port_id !== undefined && { port_id }), ...(subnet_id !== undefined && { subnet_id }) } as InterfaceWish
}

/** Source: Network API reference, "Add interface to router". @throws CloudError in Neutron's words */
export async function add(deps: Deps, ctx: Context, routerId: string, wish: InterfaceWish): Promise<InterfaceInfo> {
  const info = await deps.database.write((trx) => addIn(trx, deps, ctx, routerId, wish))
  deps.nudge(loops.networks)
  deps.nudge(loops.routers)
  return info
}

export async function addIn(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  ctx: Caller,
  routerId: string,
  wish: InterfaceWish,
): Promise<InterfaceInfo> {
  const router = await get(trx, routerId)
  const [port, subnetIds] =
    wish.port_id === undefined
      ? await addBySubnet(trx, deps, ctx, router, wish.subnet_id!)
      : await addByPort(trx, deps, ctx, router, wish.port_id)
  if (router.host !== null) await hostRows.carryNetwork(trx, port.network_id, router.host)
  await routerRows.update(trx, routerId, { updated_at: deps.clock.now() })
  return infoOf(router, port, subnetIds)
}

const infoOf = (router: routerRows.RouterRow, port: portRows.PortRow, subnetIds: string[]): InterfaceInfo => ({
  id: router.id,
  tenant_id: router.project_id,
  port_id: port.id,
  network_id: port.network_id,
  subnet_id: subnetIds[0] ?? '',
  subnet_ids: subnetIds,
})

async function addBySubnet(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  ctx: Caller,
  router: routerRows.RouterRow,
  subnetId: string,
): Promise<[portRows.PortRow, string[]]> {
  const subnet = await visibleSubnet(trx, ctx, subnetId)
  if (subnet.gateway_ip === null) throw badRouter('Subnet for router interface must have a gateway IP')
  if (!ctx.isAdmin && subnet.project_id !== ctx.projectId) {
    throw badRouter(
      `Cannot add interface to router because subnet ${subnetId} is not owned by project making the request`,
    )
  }
  refuseForeignAdvertisements(subnet)
  await refuseOverlap(trx, router.id, [subnet])
  const address = { subnet_id: subnet.id, ip_address: subnet.gateway_ip }
  const neighbour = subnet.ip_version === 6 ? await portWithSix(trx, router.id, subnet.network_id) : undefined
  if (neighbour) {
    const held = await allocationRows.ofPorts(trx, [neighbour.id])
    await setAddresses(trx, neighbour.id, [
      ...held.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
      address,
    ])
    return [neighbour, [subnet.id]]
  }
  const port = await insertPort(
    trx,
    deps,
    { ...ctx, isAdmin: true },
    {
      ...routerPort(subnet.network_id, router.id, routerRows.interfaceOwner),
      project_id: router.project_id,
      fixed_ips: [address],
    },
    {},
  )
  return [port, [subnet.id]]
}

async function visibleSubnet(trx: Trx, ctx: Caller, id: string): Promise<subnetRows.SubnetRow> {
  const subnet = await subnetRows.find(trx, id)
  if (!subnet) throw subnetNotFound(id)
  if (ctx.isAdmin || subnet.project_id === ctx.projectId) return subnet
  if (!(await isOpenTo(trx, subnet.network_id, ctx.projectId))) throw subnetNotFound(id)
  return subnet
}

/** Its ports listen to another router there. Source: Neutron administration guide, "IPv6". */
function refuseForeignAdvertisements(subnet: subnetRows.SubnetRow): void {
  if (subnet.ip_version !== 6 || subnet.ipv6_ra_mode !== null || subnet.ipv6_address_mode === null) return
  throw badRouter(
    `IPv6 subnet ${subnet.id} configured to receive RAs from an external router cannot be added to Neutron Router`,
  )
}

/** A router has all IPv6 prefixes of a network on one port. */
async function portWithSix(trx: Trx, routerId: string, networkId: string): Promise<portRows.PortRow | undefined> {
  const ports = (await routerRows.portsOf(trx, [routerId])).filter(
    (port) => port.network_id === networkId && port.device_owner === routerRows.interfaceOwner,
  )
  const held = await allocationRows.ofPorts(
    trx,
    ports.map((port) => port.id),
  )
  const six = held.find((row) => row.ip_address.includes(':'))
  return ports.find((port) => port.id === six?.port_id)
}

async function addByPort(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  ctx: Caller,
  router: routerRows.RouterRow,
  portId: string,
): Promise<[portRows.PortRow, string[]]> {
  const port = await portRows.find(trx, portId)
  if (!port || (!ctx.isAdmin && port.project_id !== ctx.projectId)) throw portNotFound(portId)
  if (port.device_id !== '') throw portHasDevice(port)
  const held = await allocationRows.ofPorts(trx, [portId])
  if (held.length === 0) throw badRouter('Router port must have at least one fixed IP')
  const ids = new Set(held.map((row) => row.subnet_id))
  const subnets = (await subnetRows.ofNetworks(trx, [port.network_id])).filter((subnet) => ids.has(subnet.id))
  if (held.some((row) => row.ip_address.includes(':'))) {
    const other = await portWithSix(trx, router.id, port.network_id)
    if (other) {
      throw badRouter(
        'Cannot have multiple router ports with the same network id if both contain IPv6 subnets. Existing port ' +
          `${other.id} has IPv6 subnet(s) and network id ${other.network_id}`,
      )
    }
  }
  await refuseOverlap(trx, router.id, subnets)
  if (subnets.filter((subnet) => subnet.ip_version === 4).length > 1) {
    throw badRouter('Cannot have multiple IPv4 subnets on router port')
  }
  for (const subnet of subnets) refuseForeignAdvertisements(subnet)
  await bind(trx, port, null)
  await portRows.update(trx, portId, {
    device_id: router.id,
    device_owner: routerRows.interfaceOwner,
    updated_at: deps.clock.now(),
  })
  return [port, [...ids]]
}

/** Source: Network API reference, "Remove interface from router". @throws CloudError in Neutron's words */
export async function remove(deps: Deps, ctx: Context, routerId: string, wish: InterfaceWish): Promise<InterfaceInfo> {
  const info = await deps.database.write((trx) => removeIn(trx, deps, ctx, routerId, wish))
  deps.nudge(loops.routers)
  return info
}

export async function removeIn(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  ctx: Caller,
  routerId: string,
  wish: InterfaceWish,
): Promise<InterfaceInfo> {
  const router = await get(trx, routerId)
  const [port, subnetIds] = await unplug(trx, ctx, router, wish)
  await routerRows.update(trx, routerId, { updated_at: deps.clock.now() })
  if (router.host !== null) await hostRows.noteIdle(trx, port.network_id, router.host, deps.clock.nowMs())
  return infoOf(router, port, subnetIds)
}

async function unplug(
  trx: Trx,
  ctx: Caller,
  router: routerRows.RouterRow,
  wish: InterfaceWish,
): Promise<[portRows.PortRow, string[]]> {
  if (wish.port_id === undefined) await visibleSubnet(trx, ctx, wish.subnet_id!)
  const ports = (await routerRows.portsOf(trx, [router.id])).filter(
    (port) => port.device_owner === routerRows.interfaceOwner,
  )
  const held = await allocationRows.ofPorts(
    trx,
    ports.map((port) => port.id),
  )
  const portId = wish.port_id ?? held.find((row) => row.subnet_id === wish.subnet_id)?.port_id
  const port = ports.find((one) => one.id === portId)
  if (!port) {
    throw wish.port_id === undefined
      ? interfaceNotFoundForSubnet(router.id, wish.subnet_id!)
      : interfaceNotFound(router.id, wish.port_id)
  }
  const own = held.filter((row) => row.port_id === port.id)
  if (wish.subnet_id !== undefined && !own.some((row) => row.subnet_id === wish.subnet_id)) {
    throw badRequest(
      'SubnetMismatchForPort',
      `Subnet on port ${port.id} does not match the requested subnet ${wish.subnet_id}.`,
    )
  }
  const going = wish.port_id === undefined ? own.filter((row) => row.subnet_id === wish.subnet_id) : own
  await refuseInUse(trx, router, going)
  if (going.length < own.length) {
    const kept = own.filter((row) => !going.includes(row))
    await setAddresses(
      trx,
      port.id,
      kept.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
    )
  } else await removePort(trx, port)
  return [port, going.map((row) => row.subnet_id)]
}

/** @throws CloudError `conflict` when a floating IP or an extra route goes by way of these subnets */
async function refuseInUse(
  trx: Trx,
  router: routerRows.RouterRow,
  going: readonly allocationRows.AllocationRow[],
): Promise<void> {
  const floating = await floatingRows.ofRouters(trx, [router.id])
  const ids = floating.map((row) => row.id)
  const forwardings = await forwardingRows.ofFloatingIps(trx, ids)
  const routes = JSON.parse(router.routes) as Route[]
  for (const { subnet_id } of going) {
    const cidr = parseCidr((await subnetRows.find(trx, subnet_id))!.cidr)!
    const leads = (address: string | null) => {
      const ip = address === null ? null : parseIp(address)
      return ip !== null && ip.version === cidr.version && contains(cidr, ip.value)
    }
    if (
      floating.some((row) => leads(row.fixed_ip_address)) ||
      forwardings.some((row) => leads(row.internal_ip_address))
    )
      throw interfaceInUseByFloatingIp(router.id, subnet_id)
    if (routes.some((route) => leads(route.nexthop))) throw interfaceInUseByRoute(router.id, subnet_id)
  }
}
