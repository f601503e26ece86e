import type { Context } from '../../../platform/auth/context.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as allocationRows from '../db/allocations.ts'
import * as floatingRows from '../db/floating-ips.ts'
import * as networkRows from '../db/networks.ts'
import * as forwardingRows from '../db/port-forwardings.ts'
import * as portRows from '../db/ports.ts'
import * as routerRows from '../db/routers.ts'
import * as subnetRows from '../db/subnets.ts'
import { seesNetwork } from './access.ts'
import { parseIp } from './addresses.ts'
import type { Accepted } from './attributes.ts'
import { removePort } from './bindings.ts'
import { type Deps, loops } from './deps.ts'
import { badRequest, conflict, networkNotFound, portNotFound } from './errors.ts'
import { insert as insertPort } from './ports.ts'
import { claimAll } from './quotas.ts'
import { badFloatingIp, floatingIpNotFound, notReachable } from './router-errors.ts'
import { routerPort } from './routers.ts'

export interface NewFloatingIp {
  project_id: string
  floating_network_id: string
  floating_ip_address: string | null
  subnet_id: string | null
  port_id?: string | null
  fixed_ip_address?: string | null
  description: string
}

export type FloatingIpChanges = Partial<Pick<NewFloatingIp, 'port_id' | 'fixed_ip_address' | 'description'>>

type Caller = Pick<Context, 'isAdmin' | 'projectId'>

/** Where a floating IP leads. */
interface Association {
  port_id: string | null
  fixed_ip_address: string | null
  router_id: string | null
}
const nowhere: Association = { port_id: null, fixed_ip_address: null, router_id: null }

/** Source: Network API reference, "Create floating IP". @throws CloudError in Neutron's words */
export async function create(
  deps: Deps,
  ctx: Context,
  items: readonly Accepted<NewFloatingIp>[],
): Promise<floatingRows.FloatingIpRow[]> {
  const rows = await deps.database.write(async (trx) => {
    await claimAll(trx, deps, 'floatingip', items)
    const made: floatingRows.FloatingIpRow[] = []
    for (const { values } of items) made.push(await insert(trx, deps, ctx, values))
    return made
  })
  deps.nudge(loops.routers)
  return rows
}

async function insert(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  ctx: Caller,
  wanted: NewFloatingIp,
): Promise<floatingRows.FloatingIpRow> {
  const network = await networkRows.find(trx, wanted.floating_network_id)
  if (!network || !(await seesNetwork(trx, ctx, network))) throw networkNotFound(wanted.floating_network_id)
  if (!network.external) throw badFloatingIp(`Network ${network.id} is not a valid external network`)
  const four = (await subnetRows.ofNetworks(trx, [network.id])).filter((subnet) => subnet.ip_version === 4)
  if (four.length === 0) throw badFloatingIp(`Network ${network.id} does not contain any IPv4 subnet`)

  const id = newId()
  const wish = {
    ...(wanted.subnet_id !== null && { subnet_id: wanted.subnet_id }),
    ...(wanted.floating_ip_address !== null && { ip_address: wanted.floating_ip_address }),
  }
  const asked = Object.keys(wish).length > 0
  const port = await insertPort(
    trx,
    deps,
    { ...ctx, isAdmin: true },
    {
      ...routerPort(network.id, id, routerRows.floatingOwner),
      ...(asked && { fixed_ips: [wish] }),
    },
    {},
  )
  await portRows.update(trx, port.id, { status: 'N/A' })
  const held = await allocationRows.ofPorts(trx, [port.id])
  const address = held.find((row) => parseIp(row.ip_address)?.version === 4)?.ip_address
  if (address === undefined) {
    throw badRequest('ExternalIpAddressExhausted', `Unable to find any IP address on external network ${network.id}.`)
  }
  const now = deps.clock.now()
  const row: floatingRows.FloatingIpRow = {
    id,
    project_id: wanted.project_id,
    description: wanted.description,
    floating_network_id: network.id,
    floating_ip_address: address,
    floating_port_id: port.id,
    ...nowhere,
    status: 'DOWN',
    ...{ tags: '', dns_name: '', dns_domain: '', qos_policy_id: null },
    created_at: now,
    updated_at: now,
    revision_number: 1,
  }
  const to = await associationOf(trx, ctx, row, wanted)
  await floatingRows.insert(trx, { ...row, ...to })
  if (to.router_id !== null) await routerRows.touch(trx, to.router_id)
  return await get(trx, id)
}

/** Source: Network API reference, "Update floating IP": without `port_id`, it stays where it is. */
export async function update(
  deps: Deps,
  ctx: Context,
  id: string,
  changes: FloatingIpChanges,
): Promise<floatingRows.FloatingIpRow> {
  const row = await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    // Only a word on the description leaves the association alone; nothing at all, as upstream has it, ends it.
    const blank = Object.keys(changes).length === 0
    const wish =
      !blank && changes.port_id === undefined && before.port_id !== null
        ? { ...changes, port_id: before.port_id }
        : changes
    const same = !blank && changes.port_id === undefined && changes.fixed_ip_address === undefined
    if (!same && (await forwardingRows.ofFloatingIps(trx, [id])).length > 0) throw inUseByForwarding(id)
    const to = same ? before : await associationOf(trx, ctx, before, wish)
    const moves = to.router_id !== before.router_id || to.fixed_ip_address !== before.fixed_ip_address
    await floatingRows.update(trx, id, {
      ...(changes.description !== undefined && { description: changes.description }),
      port_id: to.port_id,
      fixed_ip_address: to.fixed_ip_address,
      router_id: to.router_id,
      ...(moves && { status: 'DOWN' as const }),
      updated_at: deps.clock.now(),
    })
    if (moves) await touchRouters(trx, [before.router_id, to.router_id])
    return await get(trx, id)
  })
  deps.nudge(loops.routers)
  return row
}

const inUseByForwarding = (id: string) =>
  conflict('FipInUseByPortForwarding', `Floating IP ${id} in use by Port Forwarding resources.`)

async function touchRouters(trx: Trx, ids: readonly (string | null)[]): Promise<void> {
  for (const id of new Set(ids)) if (id !== null) await routerRows.touch(trx, id)
}

async function associationOf(
  trx: Trx,
  ctx: Caller,
  row: floatingRows.FloatingIpRow,
  wish: FloatingIpChanges,
): Promise<Association> {
  if (!wish.port_id) {
    if (wish.fixed_ip_address) throw badFloatingIp('fixed_ip_address cannot be specified without a port_id')
    return nowhere
  }
  const port = await portRows.find(trx, wish.port_id)
  if (!port) throw portNotFound(wish.port_id)
  if (port.project_id !== row.project_id && !ctx.isAdmin) {
    throw badFloatingIp(
      `Cannot process floating IP association with Port ${port.id}, since that port is owned by a different tenant`,
    )
  }
  if (/^network:(?!router_interface)/.test(port.device_owner) && port.device_owner !== 'network:dhcp') {
    throw badFloatingIp(`Port ${port.id} is unable to be assigned a floating IP`)
  }
  const fixed = await fixedAddressOf(trx, port, wish.fixed_ip_address ?? null)
  const routerId = await routerBetween(trx, port, fixed.subnet_id, row.floating_network_id)
  const forwarded = (await forwardingRows.ofPort(trx, port.id)).some(
    (one) => one.internal_ip_address === fixed.ip_address,
  )
  if (forwarded) {
    throw badRequest(
      'PortHasPortForwarding',
      `Cannot associate floating IP to port ${port.id} because it already has a Port Forwarding binding.`,
    )
  }
  const others = await floatingRows.ofPorts(trx, [port.id])
  const taken = others.some(
    (other) =>
      other.id !== row.id &&
      other.floating_network_id === row.floating_network_id &&
      other.fixed_ip_address === fixed.ip_address,
  )
  if (taken) {
    throw conflict(
      'FloatingIPPortAlreadyAssociated',
      `Cannot associate floating IP ${row.floating_ip_address} (${row.id}) with port ${port.id} using fixed IP ` +
        `${fixed.ip_address}, as that fixed IP already has a floating IP on external network ` +
        `${row.floating_network_id}.`,
    )
  }
  return { port_id: port.id, fixed_ip_address: fixed.ip_address, router_id: routerId }
}

async function fixedAddressOf(
  trx: Trx,
  port: portRows.PortRow,
  asked: string | null,
): Promise<allocationRows.AllocationRow> {
  const held = await allocationRows.ofPorts(trx, [port.id])
  if (asked !== null) {
    if (parseIp(asked)?.version !== 4) {
      throw badFloatingIp(`Cannot process floating IP association with ${asked}, since that is not an IPv4 address`)
    }
    const found = held.find((row) => row.ip_address === asked)
    if (!found) throw badFloatingIp(`Port ${port.id} does not have fixed ip ${asked}`)
    return found
  }
  const [first, ...more] = held.filter((row) => parseIp(row.ip_address)?.version === 4)
  if (!first) throw badFloatingIp(`Cannot add floating IP to port ${port.id} that has no fixed IPv4 addresses`)
  if (more.length > 0) {
    throw badFloatingIp(
      `Port ${port.id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a ` +
        'floating IP',
    )
  }
  return first
}

/** The router that is the subnet's gateway, else the oldest between the two. @throws CloudError `notFound` */
export async function routerBetween(
  trx: Trx,
  port: portRows.PortRow,
  subnetId: string,
  externalNetworkId: string,
): Promise<string> {
  const routers = await routerRows.between(trx, subnetId, externalNetworkId)
  const gateway = (await subnetRows.find(trx, subnetId))?.gateway_ip
  const chosen = routers.find((router) => router.ip_address === gateway) ?? routers[0]
  if (!chosen) throw notReachable(externalNetworkId, subnetId, port.id)
  return chosen.id
}

export async function remove(deps: Deps, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    const row = await get(trx, id)
    if ((await forwardingRows.ofFloatingIps(trx, [id])).length > 0) throw inUseByForwarding(id)
    await floatingRows.remove(trx, id)
    const port = await portRows.find(trx, row.floating_port_id)
    if (port) await removePort(trx, port)
    await touchRouters(trx, [row.router_id])
  })
  deps.nudge(loops.routers)
}

/** @throws CloudError `notFound` */
export async function get(db: Db, id: string): Promise<floatingRows.FloatingIpRow> {
  const row = await floatingRows.find(db, id)
  if (!row) throw floatingIpNotFound(id)
  return row
}
