import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as allocationRows from '../db/allocations.ts'
import * as floatingRows from '../db/floating-ips.ts'
import * as forwardingRows from '../db/port-forwardings.ts'
import * as portRows from '../db/ports.ts'
import * as routerRows from '../db/routers.ts'
import type { Caller } from './access.ts'
import { parseIp } from './addresses.ts'
import type { Resource } from './attributes.ts'
import { ownerAttributes } from './attributes.ts'
import { type Deps, loops } from './deps.ts'
import { badRequest, conflict, missing, portNotFound } from './errors.ts'
import { get as getFloatingIp, routerBetween } from './floating-ips.ts'
import * as is from './values.ts'

/** First and last; a single port is both. */
export interface PortRange {
  first: number
  last: number
}

export interface PortForwardingWish {
  project_id?: string
  internal_port_id?: string
  internal_ip_address?: string
  protocol?: string
  internal_port?: number | null
  external_port?: number | null
  internal_port_range?: PortRange | null
  external_port_range?: PortRange | null
  description?: string
}

const portNumber = is.orNull(is.integer(1, 65_535))
const range: is.Parse<PortRange | null> = (value) => {
  if (value === null) return null
  const [, first, last] = /^(\d{1,5}):(\d{1,5})$/.exec(String(value)) ?? []
  const ends = [first ?? value, last ?? value].map(is.integer(1, 65_535))
  if (ends[0]! > ends[1]!) throw new is.Reason(`'${is.shown(value)}' is not a valid port range`)
  return { first: ends[0]!, last: ends[1]! }
}
const both = { post: true, put: true }

/** Source: Network API reference, "Floating IPs port forwarding". */
export const portForwarding: Resource = {
  singular: 'port_forwarding',
  plural: 'port_forwardings',
  attributes: {
    id: {},
    ...ownerAttributes,
    external_port: { ...both, parse: portNumber },
    internal_port: { ...both, parse: portNumber },
    external_port_range: { ...both, parse: range },
    internal_port_range: { ...both, parse: range },
    internal_ip_address: { ...both, parse: is.ipAddress },
    protocol: { ...both, required: true, parse: is.oneOf('tcp', 'udp', 'sctp', 'dccp') },
    internal_port_id: { ...both, required: true, parse: is.uuid },
    description: { ...both, default: '', parse: is.text(255) },
  },
}

export const portForwardingNotFound = (id: string) =>
  missing('PortForwardingNotFound', `Port Forwarding ${id} could not be found.`)
const bad = (message: string) => badRequest('BadRequest', `Bad port_forwarding request: ${message}.`)

/** A new one, or with `id` another wish for one that there is. @throws CloudError in Neutron's words */
export async function set(
  deps: Deps,
  caller: Caller,
  floatingIpId: string,
  wish: PortForwardingWish,
  id: string | null,
): Promise<forwardingRows.PortForwardingRow> {
  const row = await deps.database.write(async (trx) => {
    const floating = await getFloatingIp(trx, floatingIpId)
    if (floating.port_id !== null) {
      throw conflict(
        'FloatingIPPortAlreadyAssociated',
        `Cannot associate floating IP ${floating.floating_ip_address} (${floating.id}) with a port forwarding, as it is ` +
          `associated with port ${floating.port_id}.`,
      )
    }
    const before = id === null ? undefined : await get(trx, floatingIpId, id)
    const { address, subnetId } = await inside(trx, caller, wish, before)
    const now = deps.clock.now()
    const row: forwardingRows.PortForwardingRow = {
      id: before?.id ?? newId(),
      project_id: floating.project_id,
      floating_ip_id: floatingIpId,
      internal_port_id: wish.internal_port_id ?? before?.internal_port_id ?? '',
      internal_ip_address: address,
      protocol: wish.protocol ?? before?.protocol ?? 'tcp',
      ...portsOf(wish, before),
      description: wish.description ?? before?.description ?? '',
      created_at: before?.created_at ?? now,
      updated_at: now,
      revision_number: before?.revision_number ?? 0,
    }
    await refuseCollisions(trx, row)
    const routerId = await routerFor(trx, row, subnetId, floating)
    if (before) await forwardingRows.update(trx, before.id, row)
    else await forwardingRows.insert(trx, row)
    if (floating.router_id === null) await floatingRows.update(trx, floatingIpId, { router_id: routerId })
    await routerRows.touch(trx, routerId)
    return row
  })
  deps.nudge(loops.routers)
  return row
}

/** The port's fixed address that it leads to. */
async function inside(
  trx: Trx,
  caller: Caller,
  wish: PortForwardingWish,
  before: forwardingRows.PortForwardingRow | undefined,
): Promise<{ address: string; subnetId: string }> {
  const portId = wish.internal_port_id ?? before?.internal_port_id ?? ''
  const port = await portRows.find(trx, portId)
  if (!port || (!caller.isAdmin && port.project_id !== caller.projectId)) throw portNotFound(portId)
  const held = (await allocationRows.ofPorts(trx, [portId])).filter((one) => parseIp(one.ip_address)?.version === 4)
  const asked =
    wish.internal_ip_address ?? (wish.internal_port_id === undefined ? before?.internal_ip_address : undefined)
  if (held.length === 0) throw bad(`Port ${portId} has no fixed IPv4 addresses`)
  const found = asked === undefined ? held[0] : held.find((one) => one.ip_address === asked)
  if (!found) throw bad(`Port ${portId} does not have fixed IP ${asked}`)
  const floating = (await floatingRows.ofPorts(trx, [portId])).find((one) => one.fixed_ip_address === found.ip_address)
  if (floating) {
    throw conflict(
      'PortHasBindingFloatingIP',
      `Cannot create port forwarding with port ${portId} using fixed IP ${found.ip_address}, as that port already has ` +
        `a binding floating IP ${floating.floating_ip_address} (${floating.id}).`,
    )
  }
  return { address: found.ip_address, subnetId: found.subnet_id }
}

function portsOf(
  wish: PortForwardingWish,
  before: forwardingRows.PortForwardingRow | undefined,
): Pick<forwardingRows.PortForwardingRow, 'external_first' | 'external_last' | 'internal_first' | 'internal_last'> {
  const pick = (side: 'external' | 'internal'): PortRange => {
    const [port, range] = [wish[`${side}_port`], wish[`${side}_port_range`]]
    if (port != null && range != null) throw bad(`Cannot specify both ${side}_port and ${side}_port_range`)
    if (port != null) return { first: port, last: port }
    if (range != null) return range
    if (before) return { first: before[`${side}_first`], last: before[`${side}_last`] }
    throw bad(`Either ${side}_port or ${side}_port_range must be specified`)
  }
  const [outer, inner] = [pick('external'), pick('internal')]
  const [width, innerWidth] = [outer.last - outer.first, inner.last - inner.first]
  if (innerWidth !== width && innerWidth !== 0) {
    throw bad('Invalid ranges: the internal range must be of the same size as the external one, or a single port')
  }
  return {
    ...{ external_first: outer.first, external_last: outer.last },
    ...{ internal_first: inner.first, internal_last: inner.last },
  }
}

/** No outer port leads to two places, and no place is led to by two. */
async function refuseCollisions(trx: Trx, row: forwardingRows.PortForwardingRow): Promise<void> {
  const meets = (a: [number, number], b: [number, number]) => a[0] <= b[1] && b[0] <= a[1]
  for (const other of await forwardingRows.ofFloatingIps(trx, [row.floating_ip_id])) {
    if (other.id === row.id || other.protocol !== row.protocol) continue
    if (meets([row.external_first, row.external_last], [other.external_first, other.external_last])) {
      throw bad(`A duplicate port forwarding entry with same attributes already exists: external ports of ${other.id}`)
    }
    const same =
      other.internal_port_id === row.internal_port_id && other.internal_ip_address === row.internal_ip_address
    if (same && meets([row.internal_first, row.internal_last], [other.internal_first, other.internal_last])) {
      throw bad(`A duplicate port forwarding entry with same attributes already exists: internal ports of ${other.id}`)
    }
  }
}

/** The router between; all forwardings of an address go by way of one. */
async function routerFor(
  trx: Trx,
  row: forwardingRows.PortForwardingRow,
  subnetId: string,
  floating: floatingRows.FloatingIpRow,
): Promise<string> {
  const port = (await portRows.find(trx, row.internal_port_id))!
  const routerId = await routerBetween(trx, port, subnetId, floating.floating_network_id)
  if (floating.router_id === null || floating.router_id === routerId) return routerId
  throw bad(
    `The floating IP ${floating.id} is served by router ${floating.router_id}, and the port is behind ${routerId}`,
  )
}

export async function remove(deps: Deps, floatingIpId: string, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    await get(trx, floatingIpId, id)
    await forwardingRows.remove(trx, id)
    await release(trx, floatingIpId)
  })
  deps.nudge(loops.routers)
}

/** The address without its last forwarding is no router's any more. */
async function release(trx: Trx, floatingIpId: string): Promise<void> {
  const floating = await floatingRows.find(trx, floatingIpId)
  if (!floating || floating.router_id === null) return
  const left = await forwardingRows.ofFloatingIps(trx, [floatingIpId])
  if (left.length === 0 && floating.port_id === null) {
    await floatingRows.update(trx, floatingIpId, { router_id: null, status: 'DOWN' })
  }
  await routerRows.touch(trx, floating.router_id)
}

/** Forwardings to addresses that the port has no longer go. */
export async function portReadressed(trx: Trx, portId: string, held: ReadonlySet<string>): Promise<void> {
  for (const row of await forwardingRows.ofPort(trx, portId)) {
    if (held.has(row.internal_ip_address)) continue
    await forwardingRows.remove(trx, row.id)
    await release(trx, row.floating_ip_id)
  }
}

/** @throws CloudError `notFound` */
export async function get(db: Db, floatingIpId: string, id: string): Promise<forwardingRows.PortForwardingRow> {
  const row = await forwardingRows.find(db, id)
  if (!row || row.floating_ip_id !== floatingIpId) throw portForwardingNotFound(id)
  return row
}
