import type { Trx } from '../../../platform/db/database.ts'
import * as networkRows from '../db/networks.ts'
import * as poolRows from '../db/subnet-pools.ts'
import * as subnetRows from '../db/subnets.ts'
import { type Caller, mayUse } from './access.ts'
import { parseCidr } from './addresses.ts'
import { type Deps, loops } from './deps.ts'
import { badRequest, conflict, invalidInput, networkNotFound } from './errors.ts'
import { anyOverlap, compacted, covers, firstFreeBlock, overlapping } from './prefixes.ts'
import { get, subnetPoolNotFound } from './subnet-pools.ts'

/** What a new subnet says of where its addresses come from. */
export interface PoolWish {
  project_id: string
  network_id: string
  ip_version: 4 | 6
  cidr?: string
  prefixlen?: number
  subnetpool_id: string | null
  use_default_subnetpool?: boolean
}

/**
 * The CIDR of a new subnet, and the pool it is of (null for one that was just named).
 * Source: Network API reference, "Create subnet"; Neutron administration guide, "Subnet pools".
 * @throws CloudError in Neutron's words
 */
export async function cidrFor(
  trx: Trx,
  caller: Caller,
  wish: PoolWish,
): Promise<{ cidr: string; pool: poolRows.SubnetPoolRow | null }> {
  const pool = await poolFor(trx, caller, wish)
  if (!pool) {
    if (wish.cidr === undefined) {
      throw badRequest('BadRequest', 'Bad subnets request: a subnetpool must be specified in the absence of a cidr.')
    }
    if (wish.prefixlen !== undefined) throw invalidInput('prefixlen is only of use with a subnetpool')
    return { cidr: wish.cidr, pool: null }
  }
  if (pool.ip_version !== wish.ip_version) {
    throw badRequest(
      'BadRequest',
      `Bad subnets request: Cannot allocate IPv${wish.ip_version} subnet from IPv${pool.ip_version} subnet pool.`,
    )
  }
  await refuseOtherPools(trx, wish.network_id, pool)
  const subnets = await poolRows.subnetsOf(trx, pool.id)
  const cidr = wish.cidr ?? freeCidr(pool, subnets, lengthFor(pool, wish.prefixlen))
  if (wish.cidr !== undefined) refuseCidr(pool, subnets, cidr)
  refuseOverQuota(pool, subnets, wish.project_id, cidr)
  // Whoever takes from the pool writes its row: two at once do not find the same block free.
  await poolRows.update(trx, pool.id, {})
  return { cidr, pool }
}

async function poolFor(trx: Trx, caller: Caller, wish: PoolWish): Promise<poolRows.SubnetPoolRow | null> {
  if (wish.subnetpool_id !== null) {
    if (wish.use_default_subnetpool) {
      throw badRequest(
        'BadRequest',
        'Bad subnets request: subnetpool_id and use_default_subnetpool cannot both be specified.',
      )
    }
    const pool = await poolRows.find(trx, wish.subnetpool_id)
    if (!pool || !(await mayUse(trx, caller, pool))) throw subnetPoolNotFound(wish.subnetpool_id)
    return pool
  }
  if (!wish.use_default_subnetpool) return null
  const pool = await poolRows.defaultOf(trx, wish.ip_version)
  if (!pool)
    throw badRequest('BadRequest', `Bad subnets request: No default subnetpool found for IPv${wish.ip_version}.`)
  return pool
}

/** All subnets of a network and version are of one pool, or of none. */
async function refuseOtherPools(trx: Trx, networkId: string, pool: poolRows.SubnetPoolRow): Promise<void> {
  const others = (await subnetRows.ofNetworks(trx, [networkId])).filter((one) => one.ip_version === pool.ip_version)
  if (others.every((subnet) => subnet.subnetpool_id === pool.id)) return
  throw badRequest(
    'NetworkSubnetPoolAffinityError',
    'Subnets hosted on the same network must be allocated from the same subnet pool.',
  )
}

function lengthFor(pool: poolRows.SubnetPoolRow, asked: number | undefined): number {
  const length = asked ?? pool.default_prefixlen
  if (length < pool.min_prefixlen) {
    throw badRequest(
      'MinPrefixSubnetAllocationError',
      `Unable to allocate subnet with prefix length ${length}, minimum allowed prefix is ${pool.min_prefixlen}.`,
    )
  }
  if (length > pool.max_prefixlen) {
    throw badRequest(
      'MaxPrefixSubnetAllocationError',
      `Unable to allocate subnet with prefix length ${length}, maximum allowed prefix is ${pool.max_prefixlen}.`,
    )
  }
  return length
}

const allocationError = (reason: string) => badRequest('SubnetAllocationError', `Failed to allocate subnet: ${reason}.`)

function freeCidr(pool: poolRows.SubnetPoolRow, subnets: readonly subnetRows.SubnetRow[], length: number): string {
  const taken = subnets.map((subnet) => subnet.cidr)
  const cidr = firstFreeBlock(JSON.parse(pool.prefixes) as string[], taken, length)
  if (cidr === null) throw allocationError(`Insufficient prefix space to allocate subnet size /${length}`)
  return cidr
}

function refuseCidr(pool: poolRows.SubnetPoolRow, subnets: readonly subnetRows.SubnetRow[], cidr: string): void {
  lengthFor(pool, parseCidr(cidr)!.prefix)
  const free = !subnets.some((subnet) => overlapping(subnet.cidr, cidr))
  if (free && covers(JSON.parse(pool.prefixes) as string[], cidr)) return
  throw allocationError('Cannot allocate requested subnet from the available set of prefixes')
}

function refuseOverQuota(
  pool: poolRows.SubnetPoolRow,
  subnets: readonly subnetRows.SubnetRow[],
  projectId: string,
  cidr: string,
): void {
  if (pool.default_quota === null) return
  const own = subnets.filter((subnet) => subnet.project_id === projectId)
  const used = [cidr, ...own.map((subnet) => subnet.cidr)].reduce((sum, one) => sum + unitsOf(one), 0n)
  if (used <= BigInt(pool.default_quota)) return
  throw conflict('SubnetPoolQuotaExceeded', 'Per-tenant subnet pool prefix quota exceeded.')
}

/** What a subnet counts for: its addresses, or with IPv6 its networks of /64. */
function unitsOf(cidr: string): bigint {
  const { version, first, last } = parseCidr(cidr)!
  const addresses = last - first + 1n
  return version === 4 ? addresses : (addresses + (1n << 64n) - 1n) >> 64n
}

/**
 * Takes subnets that are there already into a pool, which gains their prefixes.
 * Source: Network API reference, "Onboard network subnets" (extension `subnet_onboard`). @throws CloudError
 */
export async function onboard(deps: Deps, caller: Caller, poolId: string, networkId: string): Promise<void> {
  await deps.database.write(async (trx) => {
    const pool = await get(trx, poolId)
    const network = await networkRows.find(trx, networkId)
    if (!network || (!caller.isAdmin && network.project_id !== caller.projectId)) throw networkNotFound(networkId)
    const subnets = (await subnetRows.ofNetworks(trx, [networkId])).filter((one) => one.ip_version === pool.ip_version)
    const cidrs = subnets.map((subnet) => subnet.cidr)
    if (subnets.length === 0)
      throw badRequest('NetworkSubnetsNotFound', `Network ${networkId} has no subnets of IPv${pool.ip_version}.`)
    const foreign = subnets.find((subnet) => subnet.subnetpool_id !== null && subnet.subnetpool_id !== poolId)
    if (foreign) {
      throw badRequest(
        'IllegalSubnetPoolUpdate',
        `Subnet ${foreign.id} is of subnet pool ${foreign.subnetpool_id} already.`,
      )
    }
    if (pool.address_scope_id !== null) {
      for (const other of await poolRows.ofScope(trx, pool.address_scope_id)) {
        if (other.id === pool.id || !anyOverlap(cidrs, JSON.parse(other.prefixes) as string[])) continue
        throw conflict(
          'AddressScopePrefixConflict',
          'Failed to associate address scope: subnetpools within an address scope must have unique prefixes.',
        )
      }
    }
    const others = (await poolRows.subnetsOf(trx, poolId)).filter((one) => one.network_id !== networkId)
    if (
      anyOverlap(
        cidrs,
        others.map((one) => one.cidr),
      )
    ) {
      throw badRequest('IllegalSubnetPoolUpdate', 'A subnet of the network overlaps with another one of the pool.')
    }
    const prefixes = compacted([...(JSON.parse(pool.prefixes) as string[]), ...cidrs])
    await poolRows.update(trx, poolId, { prefixes: JSON.stringify(prefixes), updated_at: deps.clock.now() })
    for (const subnet of subnets) {
      await subnetRows.update(trx, subnet.id, { subnetpool_id: poolId, updated_at: deps.clock.now() })
    }
  })
  deps.nudge(loops.networks)
}
