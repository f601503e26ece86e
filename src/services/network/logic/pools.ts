import { type Cidr, contains, formatCidr, formatIp, hostRange, overlap, parseIp, type Range } from './addresses.ts'
import { badRequest, conflict, invalidInput } from './errors.ts'

/** As the API writes it; both ends belong to it. */
export interface Pool {
  start: string
  end: string
}

export const rangeOf = (pool: Pool): Range => ({ first: parseIp(pool.start)!.value, last: parseIp(pool.end)!.value })

const shownPool = (pool: Pool): string => `${pool.start}-${pool.end}`

/** The first address a host may have; none on a subnet of one address. */
export function defaultGateway(cidr: Cidr): string | null {
  if (cidr.first === cidr.last) return null
  return formatIp(cidr.version, cidr.first + 1n)
}

/** All host addresses but the gateway's. */
export function defaultPools(cidr: Cidr, gateway: string | null): Pool[] {
  const { first, last } = hostRange(cidr)
  const hole = gateway === null ? null : parseIp(gateway)!.value
  const ranges =
    hole === null || !contains({ first, last }, hole)
      ? [{ first, last }]
      : [
          { first, last: hole - 1n },
          { first: hole + 1n, last },
        ]
  return ranges
    .filter((range) => range.first <= range.last)
    .map((range) => ({ start: formatIp(cidr.version, range.first), end: formatIp(cidr.version, range.last) }))
}

/** A gateway may stand outside its subnet, but inside it must be a host's address. */
export function refuseGateway(cidr: Cidr, gateway: string): void {
  const ip = parseIp(gateway)!
  if (ip.version !== cidr.version) {
    throw invalidInput(`gateway_ip '${gateway}' does not match the ip_version '${cidr.version}'`)
  }
  // IPv6 knows no broadcast, and its first address is that of any router.
  const wrong = cidr.version === 4 && contains(cidr, ip.value) && !contains(hostRange(cidr), ip.value)
  if (wrong) throw invalidInput('Gateway is not valid on subnet')
}

/** @throws CloudError when a pool is upside down, leaves the subnet, meets another pool or holds the gateway */
export function refusePools(cidr: Cidr, pools: readonly Pool[], gateway: string | null): void {
  const room = hostRange(cidr)
  for (const pool of pools) {
    const { first, last } = rangeOf(pool)
    const versions = [parseIp(pool.start)!.version, parseIp(pool.end)!.version]
    if (first > last || versions.some((version) => version !== cidr.version)) {
      throw badRequest('InvalidAllocationPool', `The allocation pool ${shownPool(pool)} is not valid.`)
    }
    if (!contains(room, first) || !contains(room, last)) {
      throw badRequest(
        'OutOfBoundsAllocationPool',
        `The allocation pool ${shownPool(pool)} spans beyond the subnet cidr ${formatCidr(cidr)}.`,
      )
    }
  }
  for (const [i, pool] of pools.entries()) {
    const twin = pools.slice(i + 1).find((other) => overlap(rangeOf(pool), rangeOf(other)))
    if (!twin) continue
    throw conflict(
      'OverlappingAllocationPools',
      `Found overlapping allocation pools: ${shownPool(pool)} ${shownPool(twin)} for subnet ${formatCidr(cidr)}.`,
    )
  }
  const holder = gateway && pools.find((pool) => contains(rangeOf(pool), parseIp(gateway)!.value))
  if (!holder) return
  throw conflict(
    'GatewayConflictWithAllocationPools',
    `Gateway ip ${gateway} conflicts with allocation pool ${shownPool(holder)}.`,
  )
}
