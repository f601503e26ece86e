import { type Selectable, sql } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { dhcpOwner } from './dhcp-ports.ts'
import * as routerRows from './routers.ts'
import type { GonePortsTable, HostNetworksTable } from './tables.ts'

export type HostNetworkRow = Selectable<HostNetworksTable>
export type GonePortRow = Selectable<GonePortsTable>

/** The host must have this network. Repeatable: writes only when it did not have it, or was to let it go. */
export async function carryNetwork(trx: Trx, networkId: string, host: string): Promise<void> {
  const row = await trx
    .selectFrom('network_host_networks')
    .select(['wish', 'idle_since'])
    .where('network_id', '=', networkId)
    .where('host', '=', host)
    .executeTakeFirst()
  if (row?.wish === 'present') {
    if (row.idle_since !== null) await setIdle(trx, networkId, host, null)
    return
  }
  await trx
    .insertInto('network_host_networks')
    .values({
      network_id: networkId,
      host,
      wish: 'present',
      generation: 1,
      seen_generation: 0,
      fault: null,
      idle_since: null,
    })
    .onConflict((conflict) =>
      conflict.columns(['network_id', 'host']).doUpdateSet({
        wish: 'present',
        idle_since: null,
        generation: sql<number>`network_host_networks.generation + 1`,
      }),
    )
    .execute()
  await touchOthers(trx, networkId, host)
}

/** The network's other hosts are told who has it now: they send this one its share of the traffic, or no longer. */
async function touchOthers(trx: Trx, networkId: string, host: string): Promise<void> {
  await trx
    .updateTable('network_host_networks')
    .set({ generation: sql<number>`generation + 1` })
    .where('network_id', '=', networkId)
    .where('host', '!=', host)
    .where('wish', '=', 'present')
    .execute()
}

/** Who carries these networks. */
export async function hostsOf(db: Db, networkIds: readonly string[]): Promise<Map<string, string[]>> {
  if (networkIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('network_host_networks')
    .select(['network_id', 'host'])
    .where('network_id', 'in', networkIds)
    .where('wish', '=', 'present')
    .orderBy('host')
    .execute()
  const found = Map.groupBy(rows, (row) => row.network_id)
  return new Map([...found].map(([id, all]) => [id, all.map(({ host }) => host)]))
}

async function setIdle(trx: Trx, networkId: string, host: string, since: number | null): Promise<void> {
  await trx
    .updateTable('network_host_networks')
    .set({ idle_since: since })
    .where('network_id', '=', networkId)
    .where('host', '=', host)
    .where('wish', '=', 'present')
    .execute()
}

async function isUsed(db: Db, networkId: string, host: string): Promise<boolean> {
  const port = await db
    .selectFrom('network_ports')
    .select('id')
    .where('host', '=', host)
    .where('network_id', '=', networkId)
    .where('device_owner', '!=', dhcpOwner)
    .limit(1)
    .executeTakeFirst()
  return port !== undefined || (await routerRows.usesNetwork(db, networkId, host))
}

/** Notes that a host has no port of the network and no router on it any more, if that is so. */
export async function noteIdle(trx: Trx, networkId: string, host: string, nowMs: number): Promise<void> {
  if (!(await isUsed(trx, networkId, host))) await setIdle(trx, networkId, host, nowMs)
}

/** Networks without a port on their host since before then; external ones stay without. */
export async function idleNetworks(db: Db, beforeMs: number): Promise<HostNetworkRow[]> {
  return await db
    .selectFrom('network_host_networks')
    .selectAll()
    .where('idle_since', 'is not', null)
    .where('idle_since', '<', beforeMs)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('network_networks as n')
            .select('n.id')
            .whereRef('n.id', '=', 'network_host_networks.network_id')
            .where('n.external', '=', 1),
        ),
      ),
    )
    .execute()
}

/** The host lets the network go, unless a port has come meanwhile. */
export async function dropIdle(trx: Trx, networkId: string, host: string): Promise<void> {
  if (await isUsed(trx, networkId, host)) return await setIdle(trx, networkId, host, null)
  await trx
    .updateTable('network_host_networks')
    .set({ wish: 'absent', idle_since: null, generation: sql<number>`generation + 1` })
    .where('network_id', '=', networkId)
    .where('host', '=', host)
    .where('wish', '=', 'present')
    .where('idle_since', 'is not', null)
    .execute()
  await touchOthers(trx, networkId, host)
}

/** Every host that has the network lets it go: it is deleted, or external no longer. */
export async function dropNetwork(trx: Trx, networkId: string): Promise<void> {
  await trx
    .updateTable('network_host_networks')
    .set({ wish: 'absent', idle_since: null, generation: sql<number>`generation + 1` })
    .where('network_id', '=', networkId)
    .where('wish', '=', 'present')
    .execute()
}

/** Every host that has the network gets a new order for it, and so do the routers on it. */
export async function touchNetwork(trx: Trx, networkId: string): Promise<void> {
  await trx
    .updateTable('network_host_networks')
    .set({ generation: sql<number>`generation + 1` })
    .where('network_id', '=', networkId)
    .where('wish', '=', 'present')
    .execute()
  await routerRows.touchNetwork(trx, networkId)
}

export async function unsettledNetworks(db: Db, hosts: readonly string[]): Promise<HostNetworkRow[]> {
  if (hosts.length === 0) return []
  return await db
    .selectFrom('network_host_networks')
    .selectAll()
    .where('host', 'in', hosts)
    .whereRef('seen_generation', '<', 'generation')
    .execute()
}

/** The host has done this generation (or, with a fault, could not). Rows of networks that are gone end here. */
export async function networkReported(
  trx: Trx,
  report: { networkId: string; host: string; generation: number; fault: string | null; absent: boolean },
): Promise<void> {
  if (report.fault !== null) {
    await trx
      .updateTable('network_host_networks')
      .set({ fault: report.fault })
      .where('network_id', '=', report.networkId)
      .where('host', '=', report.host)
      .execute()
    return
  }
  await trx
    .updateTable('network_host_networks')
    .set({ seen_generation: report.generation, fault: null })
    .where('network_id', '=', report.networkId)
    .where('host', '=', report.host)
    .where('seen_generation', '<', report.generation)
    .where('generation', '>=', report.generation)
    .execute()
  if (report.absent) await removeSettledNetwork(trx, report.networkId)
}

/** Of a network that is gone, nothing is kept once its hosts have let it go. */
export async function removeSettledNetwork(trx: Trx, networkId: string): Promise<void> {
  await trx
    .deleteFrom('network_host_networks')
    .where('network_id', '=', networkId)
    .where('wish', '=', 'absent')
    .whereRef('seen_generation', '=', 'generation')
    .where((eb) => eb.not(eb.exists(eb.selectFrom('network_networks').select('id').where('id', '=', networkId))))
    .execute()
}

/** Networks open to the outside, and the hosts that have them: every network host must. */
export async function externalNetworks(db: Db): Promise<{ id: string; hosts: Set<string> }[]> {
  const rows = await db
    .selectFrom('network_networks as n')
    .leftJoin('network_host_networks as h', (join) =>
      join.onRef('h.network_id', '=', 'n.id').on('h.wish', '=', 'present'),
    )
    .select(['n.id', 'h.host'])
    .where('n.external', '=', 1)
    .execute()
  const found = new Map<string, Set<string>>()
  for (const { id, host } of rows) {
    const hosts = found.get(id) ?? new Set()
    if (host !== null) hosts.add(host)
    found.set(id, hosts)
  }
  return [...found].map(([id, hosts]) => ({ id, hosts }))
}

/** The port is no longer this host's. */
export async function insertGone(trx: Trx, row: GonePortsTable): Promise<void> {
  await trx
    .insertInto('network_gone_ports')
    .values(row)
    .onConflict((conflict) => conflict.columns(['port_id', 'host']).doUpdateSet({ generation: row.generation }))
    .execute()
}

/**
 * The port came back to the host, or the host has reported it absent at this generation or a later one.
 * @returns the network it was on, if it was among the gone
 */
export async function removeGone(
  trx: Trx,
  portId: string,
  host: string,
  generation: number,
): Promise<string | undefined> {
  const row = await trx
    .deleteFrom('network_gone_ports')
    .where('port_id', '=', portId)
    .where('host', '=', host)
    .where('generation', '<=', generation)
    .returning('network_id')
    .executeTakeFirst()
  return row?.network_id
}

export async function gonePorts(db: Db, hosts: readonly string[]): Promise<GonePortRow[]> {
  if (hosts.length === 0) return []
  return await db.selectFrom('network_gone_ports').selectAll().where('host', 'in', hosts).execute()
}
