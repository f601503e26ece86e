import { randomInt } from 'node:crypto'
import type { Trx } from '../../../platform/db/database.ts'
import * as allocationRows from '../db/allocations.ts'
import * as portRows from '../db/ports.ts'
import type { SubnetRow } from '../db/subnets.ts'
import { contains, eui64, formatIp, hostRange, type IpVersion, parseCidr, parseIp } from './addresses.ts'
import { badRequest, conflict, invalidInput, noMoreAddresses } from './errors.ts'
import { type Pool, rangeOf } from './pools.ts'

/** What a port asks for: an address, a subnet, or both. */
export interface FixedIpWish {
  subnet_id?: string
  ip_address?: string
}

interface Holder {
  id: string
  network_id: string
  mac_address: string
  device_owner: string
}

/** Its ports make their own addresses of the router's prefix and their MAC (SLAAC), so these are what we give them. */
export const isAutomatic = (subnet: Pick<SubnetRow, 'ipv6_address_mode'>): boolean =>
  subnet.ipv6_address_mode === 'slaac' || subnet.ipv6_address_mode === 'dhcpv6-stateless'

/** Random guesses before the index is asked. They rarely fail below nine tenths of a pool. */
const guesses = 8
/** A pool beyond this is only used from its start: more than any port can be connected. */
const mostPositions = 2 ** 32

/**
 * Gives a new port its addresses: those it asks for, or one of each IP version; then one of each automatic subnet.
 * @throws CloudError `conflict` (IpAddressGenerationFailure, IpAddressAlreadyAllocated)
 */
export async function allocate(
  trx: Trx,
  port: Holder,
  subnets: readonly SubnetRow[],
  wishes: readonly FixedIpWish[] | undefined,
): Promise<void> {
  let ordinal = 0
  const usable = wishes ? subnets : servedTo(port.device_owner, subnets)
  if (wishes) for (const wish of wishes) await allocateOne(trx, port, subnets, wish, ordinal++)
  else {
    for (const version of [4, 6] as const) {
      const candidates = usable.filter((subnet) => subnet.ip_version === version && !isAutomatic(subnet))
      if (candidates.length > 0) await takeFree(trx, port, candidates, ordinal++)
    }
  }
  // Asking for no address at all means none; routers' addresses are their owner's business.
  if (wishes?.length === 0 || port.device_owner.startsWith('network:router')) return
  const named = new Set(wishes?.map((wish) => wish.subnet_id))
  for (const subnet of usable) {
    if (isAutomatic(subnet) && !named.has(subnet.id)) {
      await take(trx, port, subnet, eui64(parseCidr(subnet.cidr)!, port.mac_address), ordinal++)
    }
  }
}

/**
 * The subnets that a port of this owner gets addresses from without naming one: those for its kind, else those for all.
 * Source: Network API reference, "Subnet service types". @throws CloudError `conflict` when there are none for it
 */
function servedTo(deviceOwner: string, subnets: readonly SubnetRow[]): SubnetRow[] {
  const typed = subnets.map((subnet) => ({ subnet, types: JSON.parse(subnet.service_types) as string[] }))
  const own = typed.filter(({ types }) => deviceOwner !== '' && types.some((type) => deviceOwner.startsWith(type)))
  const open = typed.filter(({ types }) => types.length === 0)
  const found = [4, 6].flatMap((version) => {
    const of = (some: typeof typed) => some.filter(({ subnet }) => subnet.ip_version === version)
    return of(own).length > 0 ? of(own) : of(open)
  })
  if (found.length === 0 && subnets.length > 0) {
    throw conflict(
      'IpAddressGenerationFailureNoMatchingSubnet',
      'No valid service subnet for the given device owner, network, and segment.',
    )
  }
  return found.map(({ subnet }) => subnet)
}

export async function allocateOne(
  trx: Trx,
  port: Holder,
  subnets: readonly SubnetRow[],
  wish: FixedIpWish,
  ordinal: number,
): Promise<void> {
  const subnet = subnetFor(port.network_id, subnets, wish)
  const cidr = parseCidr(subnet.cidr)!
  if (wish.ip_address === undefined) {
    if (!isAutomatic(subnet)) return await takeFree(trx, port, [subnet], ordinal)
    if (!(await take(trx, port, subnet, eui64(cidr, port.mac_address), ordinal))) throw noMoreAddresses(port.network_id)
    return
  }
  const ip = parseIp(wish.ip_address)!
  if (ip.version !== cidr.version || !contains(hostRange(cidr), ip.value)) {
    throw badRequest('InvalidIpForSubnet', `IP address ${wish.ip_address} is not a valid IP for the specified subnet.`)
  }
  // A router is what the others learn the prefix from, so its own address there is given.
  const chosen = !isAutomatic(subnet) || port.device_owner.startsWith('network:router')
  if (!chosen && wish.ip_address !== eui64(cidr, port.mac_address)) {
    throw badRequest(
      'AllocationOnAutoAddressSubnet',
      `IPv6 address ${wish.ip_address} can not be directly assigned to a port on subnet ${subnet.id} ` +
        'since the subnet is configured for automatic addresses',
    )
  }
  if (!(await take(trx, port, subnet, wish.ip_address, ordinal))) {
    throw conflict(
      'IpAddressAlreadyAllocated',
      `IP address ${wish.ip_address} already allocated in subnet ${subnet.id}.`,
    )
  }
}

function subnetFor(networkId: string, subnets: readonly SubnetRow[], wish: FixedIpWish): SubnetRow {
  if (wish.subnet_id !== undefined) {
    const named = subnets.find((subnet) => subnet.id === wish.subnet_id)
    if (named) return named
    throw invalidInput(
      `Failed to create port on network ${networkId}, because fixed_ips included invalid subnet ${wish.subnet_id}`,
    )
  }
  if (wish.ip_address === undefined) throw invalidInput('IP allocation requires subnet_id or ip_address')
  const ip = parseIp(wish.ip_address)!
  const around = subnets.find((subnet) => {
    const cidr = parseCidr(subnet.cidr)!
    return cidr.version === ip.version && contains(cidr, ip.value)
  })
  if (around) return around
  throw badRequest(
    'InvalidIpForNetwork',
    `IP address ${wish.ip_address} is not a valid IP for any of the subnets on the specified network.`,
  )
}

/** An address of the first subnet that has one left. */
async function takeFree(trx: Trx, port: Holder, subnets: readonly SubnetRow[], ordinal: number): Promise<void> {
  for (const subnet of subnets) {
    for await (const position of candidates(trx, subnet)) {
      if (await take(trx, port, subnet, addressAt(subnet, position), ordinal)) return
    }
  }
  throw noMoreAddresses(port.network_id)
}

const addressAt = (subnet: SubnetRow, position: number): string =>
  formatIp(subnet.ip_version as IpVersion, parseCidr(subnet.cidr)!.first + BigInt(position))

/** Positions worth trying: random ones, so that concurrent creates rarely meet; then what the index finds free. */
async function* candidates(trx: Trx, subnet: SubnetRow): AsyncGenerator<number> {
  const base = parseCidr(subnet.cidr)!.first
  const pools = (JSON.parse(subnet.allocation_pools) as Pool[]).map((pool) => {
    const { first, last } = rangeOf(pool)
    const start = Number(first - base)
    const size = last - first + 1n
    return { start, size: size > BigInt(mostPositions) ? mostPositions : Number(size) }
  })
  const room = pools.reduce((sum, pool) => sum + pool.size, 0)
  if (room === 0) return
  for (let i = 0; i < guesses; i++) {
    let offset = randomInt(room)
    const pool = pools.find(({ size }) => {
      if (offset < size) return true
      offset -= size
      return false
    })!
    yield pool.start + offset
  }
  for (const { start, size } of pools) {
    const middle = start + randomInt(size)
    for (const [first, last] of [
      [middle, start + size - 1],
      [start, middle],
    ] as const) {
      // What was free a moment ago may just have been taken by another transaction: then there is a next one.
      for (let from: number | null = first; from !== null && from <= last; from++) {
        from = await allocationRows.firstFree(trx, subnet.id, from, last)
        if (from === null) break
        yield from
      }
    }
  }
}

async function take(trx: Trx, port: Holder, subnet: SubnetRow, address: string, ordinal: number): Promise<boolean> {
  const distance = parseIp(address)!.value - parseCidr(subnet.cidr)!.first
  return await allocationRows.take(trx, {
    subnet_id: subnet.id,
    ip_address: address,
    network_id: port.network_id,
    port_id: port.id,
    position: distance <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(distance) : null,
    ordinal,
  })
}

/** Gives the ports that a network has already their address of a new automatic subnet. */
export async function addAutomatic(trx: Trx, subnet: SubnetRow): Promise<void> {
  const cidr = parseCidr(subnet.cidr)!
  for (const port of await portRows.ofNetwork(trx, subnet.network_id)) {
    if (port.device_owner.startsWith('network:router')) continue
    const ordinal = (await allocationRows.ofPorts(trx, [port.id])).length
    await take(trx, port, subnet, eui64(cidr, port.mac_address), ordinal)
  }
}

/** Brings a port's addresses in line with an update. A wish that names only a subnet keeps the address it has there. */
export async function reallocate(
  trx: Trx,
  port: Holder,
  subnets: readonly SubnetRow[],
  wishes: readonly FixedIpWish[],
): Promise<void> {
  const left = await allocationRows.ofPorts(trx, [port.id])
  const kept = wishes.map((wish) => {
    const at = left.findIndex((row) =>
      wish.ip_address !== undefined
        ? row.ip_address === wish.ip_address && (wish.subnet_id ?? row.subnet_id) === row.subnet_id
        : row.subnet_id === wish.subnet_id && !wishes.some((other) => other.ip_address === row.ip_address),
    )
    return at < 0 ? null : left.splice(at, 1)[0]!
  })
  await allocationRows.release(
    trx,
    port.id,
    left.map((row) => ({ subnetId: row.subnet_id, ipAddress: row.ip_address })),
  )
  for (const [ordinal, wish] of wishes.entries()) {
    const row = kept[ordinal]
    if (row) await allocationRows.place(trx, port.id, row.ip_address, ordinal)
    else await allocateOne(trx, port, subnets, wish, ordinal)
  }
}
