import { type Selectable, sql } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import type { GonePortsTable, HostNetworksTable } from './tables.ts'

export type HostNetworkRow = Selectable<HostNetworksTable>
export type GonePortRow = Selectable<GonePortsTable>

/** The host must have this network. Repeatable: writes only when it did not have it, or was to let it go. */
export async function carryNetwork(trx: Trx, networkId: string, host: string): Promise<void> {
  const row = await trx
    .selectFrom('network_host_networks')
    .select('wish')
    .where('network_id', '=', networkId)
    .where('host', '=', host)
    .executeTakeFirst()
  if (row?.wish === 'present') return
  await trx
    .insertInto('network_host_networks')
    .values({ network_id: networkId, host, wish: 'present', generation: 1, seen_generation: 0, fault: null })
    .onConflict((conflict) =>
      conflict
        .columns(['network_id', 'host'])
        .doUpdateSet({ wish: 'present', generation: sql<number>`network_host_networks.generation + 1` }),
    )
    .execute()
}

/** Lets the network go from a host that has no port of it any more. */
export async function dropNetworkIfUnused(trx: Trx, networkId: string, host: string): Promise<void> {
  const port = await trx
    .selectFrom('network_ports')
    .select('id')
    .where('host', '=', host)
    .where('network_id', '=', networkId)
    .limit(1)
    .executeTakeFirst()
  if (port) return
  await trx
    .updateTable('network_host_networks')
    .set({ wish: 'absent', generation: sql<number>`generation + 1` })
    .where('network_id', '=', networkId)
    .where('host', '=', host)
    .where('wish', '=', 'present')
    .execute()
}

/** Every host that has the network lets it go: it is deleted, or external no longer. */
export async function dropNetwork(trx: Trx, networkId: string): Promise<void> {
  await trx
    .updateTable('network_host_networks')
    .set({ wish: 'absent', generation: sql<number>`generation + 1` })
    .where('network_id', '=', networkId)
    .where('wish', '=', 'present')
    .execute()
}

/** Every host that has the network gets a new order for it. */
export async function touchNetwork(trx: Trx, networkId: string): Promise<void> {
  await trx
    .updateTable('network_host_networks')
    .set({ generation: sql<number>`generation + 1` })
    .where('network_id', '=', networkId)
    .where('wish', '=', 'present')
    .execute()
}

export async function hostsWith(db: Db, networkId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('network_host_networks')
    .select('host')
    .where('network_id', '=', networkId)
    .where('wish', '=', 'present')
    .execute()
  return rows.map((row) => row.host)
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

/** The port came back to the host, or the host has reported it absent at this generation or a later one. */
export async function removeGone(trx: Trx, portId: string, host: string, generation: number): Promise<void> {
  await trx
    .deleteFrom('network_gone_ports')
    .where('port_id', '=', portId)
    .where('host', '=', host)
    .where('generation', '<=', generation)
    .execute()
}

export async function gonePorts(db: Db, hosts: readonly string[]): Promise<GonePortRow[]> {
  if (hosts.length === 0) return []
  return await db.selectFrom('network_gone_ports').selectAll().where('host', 'in', hosts).execute()
}
