import { type Selectable, sql } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { dhcpOwner } from './dhcp-ports.ts'
import type { PortRow } from './ports.ts'
import * as routerRows from './routers.ts'
import type { HostGroupsTable } from './tables.ts'

export type HostGroupRow = Selectable<HostGroupsTable>

/** Bound ports whose host has not yet done what is wanted, in order of id; read by an index of just these. */
export async function ports(
  db: Db,
  hosts: readonly string[],
  after: PortRow | null,
  limit: number,
): Promise<PortRow[]> {
  if (hosts.length === 0) return []
  let query = db
    .selectFrom('network_ports')
    .selectAll()
    .where('host', 'in', hosts)
    .where('host', 'is not', null)
    .where('device_owner', '!=', dhcpOwner)
    .whereRef('seen_generation', '<', 'generation')
  if (after) query = query.where('id', '>', after.id)
  return await query.orderBy('id').limit(limit).execute()
}

/** Of each device, its first port with a gateway. */
export async function portsWithDefaultRoute(db: Db, deviceIds: readonly string[]): Promise<Set<string>> {
  const devices = deviceIds.filter((id) => id !== '')
  if (devices.length === 0) return new Set()
  const rows = await db
    .selectFrom('network_ports as p')
    .innerJoin('network_ip_allocations as a', 'a.port_id', 'p.id')
    .innerJoin('network_subnets as s', 's.id', 'a.subnet_id')
    .select(['p.id', 'p.device_id'])
    .where('p.device_id', 'in', devices)
    .where('p.host', 'is not', null)
    .where('s.gateway_ip', 'is not', null)
    .orderBy('p.device_id')
    .orderBy('p.nic_index')
    .orderBy('p.id')
    .execute()
  const first = new Map<string, string>()
  for (const row of rows) if (!first.has(row.device_id)) first.set(row.device_id, row.id)
  return new Set(first.values())
}

/** Of each device, its first port with an IPv4 address. */
export async function firstPorts(db: Db, deviceIds: readonly string[]): Promise<Set<string>> {
  const devices = deviceIds.filter((id) => id !== '')
  if (devices.length === 0) return new Set()
  const rows = await db
    .selectFrom('network_ports as p')
    .innerJoin('network_ip_allocations as a', 'a.port_id', 'p.id')
    .innerJoin('network_subnets as s', 's.id', 'a.subnet_id')
    .select(['p.id', 'p.device_id'])
    .where('p.device_id', 'in', devices)
    .where('p.host', 'is not', null)
    .where('s.ip_version', '=', 4)
    .orderBy('p.device_id')
    .orderBy('p.nic_index')
    .orderBy('p.id')
    .execute()
  const first = new Map<string, string>()
  for (const row of rows) if (!first.has(row.device_id)) first.set(row.device_id, row.id)
  return new Set(first.values())
}

/** The host has done this generation, or could not. `status` is the port's from now on. */
export async function portReported(
  trx: Trx,
  report: { portId: string; host: string; generation: number; status: PortRow['status']; fault: string | null },
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('network_ports')
    .set({
      status: report.status,
      fault: report.fault,
      ...(report.fault === null && { seen_generation: report.generation }),
    })
    .where('id', '=', report.portId)
    .where('host', '=', report.host)
    .where('seen_generation', '<=', report.generation)
    .where('generation', '>=', report.generation)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Groups with changes not yet passed on, and the rows that say so. */
export async function groupChanges(db: Db, limit: number): Promise<Map<string, string[]>> {
  const rows = await db.selectFrom('network_group_changes').selectAll().limit(limit).execute()
  return new Map(
    [...Map.groupBy(rows, (row) => row.group_id)].map(([groupId, changes]) => [groupId, changes.map(({ id }) => id)]),
  )
}

/**
 * Passes changes of a group on to its hosts: those with a port in it, and those with a port in a group whose rules name
 * it. Hosts that had it and are neither any more let it go.
 */
export async function passOn(trx: Trx, groupId: string, changeIds: readonly string[]): Promise<void> {
  await trx.deleteFrom('network_group_changes').where('id', 'in', changeIds).execute()
  const next = { generation: sql<number>`network_host_groups.generation + 1` }
  const hosts = await hostsNeeding(trx, groupId)
  for (const host of hosts) {
    await trx
      .insertInto('network_host_groups')
      .values({ group_id: groupId, host, wish: 'present', generation: 1, seen_generation: 0, fault: null })
      .onConflict((conflict) => conflict.columns(['group_id', 'host']).doUpdateSet({ ...next, wish: 'present' }))
      .execute()
  }
  let left = trx
    .updateTable('network_host_groups')
    .set({ ...next, wish: 'absent' })
    .where('group_id', '=', groupId)
    .where('wish', '=', 'present')
  if (hosts.length > 0) left = left.where('host', 'not in', hosts)
  await left.execute()
  await removeSettledGroup(trx, groupId)
}

/** Of a group that is gone, nothing is kept once its hosts have let it go. */
async function removeSettledGroup(trx: Trx, groupId: string): Promise<void> {
  await trx
    .deleteFrom('network_host_groups')
    .where('group_id', '=', groupId)
    .where('wish', '=', 'absent')
    .whereRef('seen_generation', '=', 'generation')
    .where((eb) => eb.not(eb.exists(eb.selectFrom('network_security_groups').select('id').where('id', '=', groupId))))
    .execute()
}

async function hostsNeeding(db: Db, groupId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('network_port_groups as g')
    .innerJoin('network_ports as p', 'p.id', 'g.port_id')
    .select('p.host')
    .distinct()
    .where('p.host', 'is not', null)
    .where((eb) =>
      eb.or([
        eb('g.group_id', '=', groupId),
        eb(
          'g.group_id',
          'in',
          eb
            .selectFrom('network_security_group_rules as r')
            .select('r.group_id')
            .where('r.remote_group_id', '=', groupId),
        ),
      ]),
    )
    .execute()
  return rows.flatMap((row) => row.host ?? [])
}

export async function groups(db: Db, hosts: readonly string[]): Promise<HostGroupRow[]> {
  if (hosts.length === 0) return []
  return await db
    .selectFrom('network_host_groups')
    .selectAll()
    .where('host', 'in', hosts)
    .whereRef('seen_generation', '<', 'generation')
    .execute()
}

/** Who is in these groups: bound ports, their addresses and the further ones they may send from. */
export async function members(
  db: Db,
  groupIds: readonly string[],
): Promise<{ group_id: string; network_id: string; ip_address: string; port_id: string; pairs: string }[]> {
  if (groupIds.length === 0) return []
  return await db
    .selectFrom('network_port_groups as g')
    .innerJoin('network_ports as p', 'p.id', 'g.port_id')
    .innerJoin('network_ip_allocations as a', 'a.port_id', 'p.id')
    .select(['g.group_id', 'p.network_id', 'a.ip_address', 'p.id as port_id', 'p.allowed_address_pairs as pairs'])
    .where('g.group_id', 'in', groupIds)
    .where('p.host', 'is not', null)
    .execute()
}

export async function groupReported(
  trx: Trx,
  report: { groupId: string; host: string; generation: number; fault: string | null; absent: boolean },
): Promise<void> {
  await trx
    .updateTable('network_host_groups')
    .set(report.fault === null ? { seen_generation: report.generation, fault: null } : { fault: report.fault })
    .where('group_id', '=', report.groupId)
    .where('host', '=', report.host)
    .where('seen_generation', '<=', report.generation)
    .where('generation', '>=', report.generation)
    .execute()
  if (report.absent && report.fault === null) await removeSettledGroup(trx, report.groupId)
}

/** A further generation, though nothing else has changed: what was done must be done again. */
const again = { generation: sql<number>`generation + 1` }

/** When each host's role had begun that was told everything. */
export async function starts(db: Db): Promise<Map<string, string>> {
  const rows = await db.selectFrom('network_host_starts').selectAll().execute()
  return new Map(rows.map((row) => [row.host, row.started_at]))
}

/** The host's role has begun anew: all that is its own is sent once more. */
export async function resendAll(trx: Trx, host: string, started_at: string): Promise<void> {
  await trx
    .insertInto('network_host_starts')
    .values({ host, started_at })
    .onConflict((conflict) => conflict.column('host').doUpdateSet({ started_at }))
    .execute()
  await trx.updateTable('network_host_networks').set(again).where('host', '=', host).execute()
  await trx.updateTable('network_host_groups').set(again).where('host', '=', host).execute()
  await trx.updateTable('network_ports').set(again).where('host', '=', host).execute()
  await routerRows.touchHost(trx, host)
}

/** The same for one network that the host should have and has not (or the other way round), and its ports there. */
export async function resendNetwork(trx: Trx, host: string, networkId: string): Promise<void> {
  await trx
    .updateTable('network_host_networks')
    .set(again)
    .where('host', '=', host)
    .where('network_id', '=', networkId)
    .execute()
  await trx
    .updateTable('network_ports')
    .set(again)
    .where('host', '=', host)
    .where('network_id', '=', networkId)
    .execute()
}

/** What the database says a host carries. */
export async function carriedBy(
  db: Db,
  host: string,
): Promise<{ network_id: string; wish: 'present' | 'absent'; settled: boolean }[]> {
  const rows = await db
    .selectFrom('network_host_networks')
    .select(['network_id', 'wish', 'generation', 'seen_generation'])
    .where('host', '=', host)
    .execute()
  return rows.map((row) => ({
    network_id: row.network_id,
    wish: row.wish,
    settled: row.seen_generation >= row.generation,
  }))
}

/** Those of `portIds` that this host is to have, or has been told to let go. */
export async function portsKnownAt(db: Db, host: string, portIds: readonly string[]): Promise<Set<string>> {
  if (portIds.length === 0) return new Set()
  const bound = await db
    .selectFrom('network_ports')
    .select('id')
    .where('host', '=', host)
    .where('id', 'in', portIds)
    .execute()
  const gone = await db
    .selectFrom('network_gone_ports')
    .select('port_id as id')
    .where('host', '=', host)
    .where('port_id', 'in', portIds)
    .execute()
  return new Set([...bound, ...gone].map((row) => row.id))
}

/** The host has a network that nothing says it should have. */
export async function insertUnwanted(trx: Trx, networkId: string, host: string, generation: number): Promise<void> {
  await trx
    .insertInto('network_host_networks')
    .values({
      network_id: networkId,
      host,
      wish: 'absent',
      generation,
      seen_generation: 0,
      fault: null,
      idle_since: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}
