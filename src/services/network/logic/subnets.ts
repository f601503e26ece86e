import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as allocationRows from '../db/allocations.ts'
import { anyOtherOn } from '../db/dhcp-ports.ts'
import * as hostRows from '../db/hosts.ts'
import { bump, find as findNetwork } from '../db/networks.ts'
import * as portRows from '../db/ports.ts'
import { anyOnSubnet } from '../db/routers.ts'
import * as subnetRows from '../db/subnets.ts'
import type { Caller } from './access.ts'
import { overlap, parseCidr } from './addresses.ts'
import { addAutomatic, isAutomatic } from './allocation.ts'
import type { Accepted } from './attributes.ts'
import { type Deps, loops } from './deps.ts'
import { badRequest, conflict, invalidInput, networkNotFound, subnetNotFound } from './errors.ts'
import { flag } from './flags.ts'
import { cidrFor } from './pool-allocation.ts'
import { defaultGateway, defaultPools, type Pool, refuseGateway, refusePools } from './pools.ts'
import { claimAll } from './quotas.ts'
import { refuseHostRoutes, refuseModes } from './subnet-rules.ts'

export interface NewSubnet {
  project_id: string
  network_id: string
  name: string
  description: string
  ip_version: 4 | 6
  /** Left out: the next one free of the pool. */
  cidr?: string
  prefixlen?: number
  subnetpool_id?: string | null
  use_default_subnetpool?: boolean
  service_types?: string[]
  dns_publish_fixed_ip?: boolean
  gateway_ip?: string | null
  enable_dhcp: boolean
  allocation_pools?: Pool[]
  dns_nameservers: string[]
  host_routes: { destination: string; nexthop: string }[]
  ipv6_address_mode: string | null
  ipv6_ra_mode: string | null
}

export type SubnetChanges = Partial<
  Pick<
    NewSubnet,
    | 'name'
    | 'description'
    | 'gateway_ip'
    | 'enable_dhcp'
    | 'allocation_pools'
    | 'dns_nameservers'
    | 'host_routes'
    | 'service_types'
    | 'dns_publish_fixed_ip'
  >
>

export async function create(
  deps: Deps,
  caller: Caller,
  items: readonly Accepted<NewSubnet>[],
): Promise<subnetRows.SubnetRow[]> {
  const rows = await deps.database.write(async (trx) => {
    await claimAll(trx, deps, 'subnet', items)
    const made: subnetRows.SubnetRow[] = []
    for (const { values } of items) made.push(await insert(trx, deps, caller, values))
    return made
  })
  deps.nudge(loops.ports)
  return rows
}

/** @throws CloudError `badRequest` for an address plan that does not hold together, or overlaps with another subnet's */
export async function insert(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  caller: Caller,
  wanted: NewSubnet,
): Promise<subnetRows.SubnetRow> {
  if (!(await findNetwork(trx, wanted.network_id))) throw networkNotFound(wanted.network_id)
  const { cidr: given, pool } = await cidrFor(trx, caller, { ...wanted, subnetpool_id: wanted.subnetpool_id ?? null })
  if (!pool) await refuseUnpooled(trx, wanted)
  const row = { ...checked({ ...wanted, cidr: given }, deps.clock.now()), subnetpool_id: pool?.id ?? null }
  const cidr = parseCidr(row.cidr)!
  for (const other of await subnetRows.ofNetworks(trx, [row.network_id])) {
    const taken = parseCidr(other.cidr)!
    if (taken.version === cidr.version && overlap(taken, cidr)) {
      throw invalidInput(
        `Requested subnet with cidr: ${row.cidr} for network: ${row.network_id} overlaps with another subnet`,
      )
    }
  }
  await subnetRows.insert(trx, row)
  await bump(trx, row.network_id)
  if (isAutomatic(row)) await addAutomatic(trx, row)
  await hostRows.touchNetwork(trx, row.network_id)
  await portRows.touchNetwork(trx, row.network_id)
  return row
}

/** Beside subnets of a pool only others of it. */
async function refuseUnpooled(trx: Trx, wanted: NewSubnet): Promise<void> {
  const others = await subnetRows.ofNetworks(trx, [wanted.network_id])
  if (others.every((one) => one.ip_version !== wanted.ip_version || one.subnetpool_id === null)) return
  throw badRequest(
    'NetworkSubnetPoolAffinityError',
    'Subnets hosted on the same network must be allocated from the same subnet pool.',
  )
}

function checked(wanted: NewSubnet & { cidr: string }, now: string): subnetRows.SubnetRow {
  const cidr = parseCidr(wanted.cidr)!
  if (cidr.version !== wanted.ip_version) {
    throw invalidInput(`cidr '${wanted.cidr}' does not match the ip_version '${wanted.ip_version}'`)
  }
  refuseModes(wanted, cidr)
  refuseHostRoutes(wanted, wanted.ip_version)
  const gateway = wanted.gateway_ip === undefined ? defaultGateway(cidr) : wanted.gateway_ip
  if (gateway !== null) refuseGateway(cidr, gateway)
  const pools = wanted.allocation_pools ?? defaultPools(cidr, gateway)
  refusePools(cidr, pools, gateway)
  return {
    id: newId(),
    project_id: wanted.project_id,
    network_id: wanted.network_id,
    name: wanted.name,
    description: wanted.description,
    ip_version: wanted.ip_version,
    cidr: wanted.cidr,
    gateway_ip: gateway,
    enable_dhcp: flag(wanted.enable_dhcp),
    ipv6_address_mode: wanted.ipv6_address_mode,
    ipv6_ra_mode: wanted.ipv6_ra_mode,
    allocation_pools: JSON.stringify(pools),
    dns_nameservers: JSON.stringify(wanted.dns_nameservers),
    host_routes: JSON.stringify(wanted.host_routes),
    ...{ tags: '', subnetpool_id: null, service_types: JSON.stringify(wanted.service_types ?? []) },
    dns_publish_fixed_ip: flag(wanted.dns_publish_fixed_ip === true),
    created_at: now,
    updated_at: now,
    revision_number: 0,
  }
}

export async function update(deps: Deps, id: string, changes: SubnetChanges): Promise<subnetRows.SubnetRow> {
  const row = await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    const cidr = parseCidr(before.cidr)!
    const gateway = changes.gateway_ip === undefined ? before.gateway_ip : changes.gateway_ip
    const pools = changes.allocation_pools ?? (JSON.parse(before.allocation_pools) as Pool[])
    if (gateway !== null && changes.gateway_ip !== undefined) refuseGateway(cidr, gateway)
    refusePools(cidr, pools, gateway)
    const { dns_nameservers = [], host_routes = [] } = changes
    refuseHostRoutes({ dns_nameservers, host_routes }, cidr.version)
    if (changes.enable_dhcp === false && (before.ipv6_ra_mode ?? before.ipv6_address_mode) !== null) {
      throw invalidInput('ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False')
    }
    await subnetRows.update(trx, id, {
      ...(changes.name !== undefined && { name: changes.name }),
      ...(changes.description !== undefined && { description: changes.description }),
      ...(changes.enable_dhcp !== undefined && { enable_dhcp: flag(changes.enable_dhcp) }),
      ...(changes.dns_nameservers && { dns_nameservers: JSON.stringify(changes.dns_nameservers) }),
      ...(changes.host_routes && { host_routes: JSON.stringify(changes.host_routes) }),
      ...(changes.service_types && { service_types: JSON.stringify(changes.service_types) }),
      ...(changes.dns_publish_fixed_ip !== undefined && { dns_publish_fixed_ip: flag(changes.dns_publish_fixed_ip) }),
      gateway_ip: gateway,
      allocation_pools: JSON.stringify(pools),
      updated_at: deps.clock.now(),
    })
    await bump(trx, before.network_id)
    await hostRows.touchNetwork(trx, before.network_id)
    // The gateway decides which NIC of a server has the default route.
    if (gateway !== before.gateway_ip) await portRows.touchNetwork(trx, before.network_id)
    return await get(trx, id)
  })
  deps.nudge(loops.ports)
  deps.nudge(loops.routers)
  return row
}

/** @throws CloudError `conflict` (SubnetInUse) while a port has an address that it was not given by itself */
export async function remove(deps: Deps, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    const subnet = await get(trx, id)
    const used = isAutomatic(subnet) ? await anyOnSubnet(trx, id) : await anyOtherOn(trx, id)
    if (used) {
      throw conflict(
        'SubnetInUse',
        `Unable to complete operation on subnet ${id}: One or more ports have an IP allocation from this subnet.`,
      )
    }
    await removeWith(trx, id)
    await bump(trx, subnet.network_id)
    await hostRows.touchNetwork(trx, subnet.network_id)
    await portRows.touchNetwork(trx, subnet.network_id)
  })
  deps.nudge(loops.ports)
}

/** The subnet and whatever addresses of it are given away. */
export async function removeWith(trx: Trx, id: string): Promise<void> {
  await allocationRows.releaseSubnet(trx, id)
  await subnetRows.remove(trx, id)
}

/** @throws CloudError `notFound` */
export async function get(db: Db, id: string): Promise<subnetRows.SubnetRow> {
  const row = await subnetRows.find(db, id)
  if (!row) throw subnetNotFound(id)
  return row
}
