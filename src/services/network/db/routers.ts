import { type Insertable, type Selectable, sql, type Updateable } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { type Listing, listed } from './listing.ts'
import type { PortRow } from './ports.ts'
import type { GoneRoutersTable, RoutersTable } from './router-tables.ts'

export type RouterRow = Selectable<RoutersTable>

export const interfaceOwner = 'network:router_interface'
export const gatewayOwner = 'network:router_gateway'
export const floatingOwner = 'network:floatingip'

export async function find(db: Db, id: string): Promise<RouterRow | undefined> {
  return await db.selectFrom('network_routers').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function list(db: Db, listing: Listing): Promise<RouterRow[]> {
  return await listed(db.selectFrom('network_routers').selectAll(), listing)
}

export async function insert(trx: Trx, row: Insertable<RoutersTable>): Promise<void> {
  await trx.insertInto('network_routers').values(row).execute()
}

/** Every change is a new wish, which its host has yet to see. */
export async function update(trx: Trx, id: string, changes: Updateable<RoutersTable>): Promise<void> {
  await trx
    .updateTable('network_routers')
    .set({ ...changes, generation: sql<number>`generation + 1`, revision_number: sql<number>`revision_number + 1` })
    .where('id', '=', id)
    .execute()
}

/** The router's host gets a new order: something that goes with it has changed. */
export async function touch(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('network_routers')
    .set({ generation: sql<number>`generation + 1` })
    .where('id', '=', id)
    .execute()
}

/** The same for all routers with an end on a network. */
export async function touchNetwork(trx: Trx, networkId: string): Promise<void> {
  await trx
    .updateTable('network_routers')
    .set({ generation: sql<number>`generation + 1` })
    .where('id', 'in', (eb) =>
      eb
        .selectFrom('network_ports')
        .select('device_id')
        .where('network_id', '=', networkId)
        .where('device_owner', 'in', [interfaceOwner, gatewayOwner]),
    )
    .execute()
}

export async function remove(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('network_routers').where('id', '=', id).execute()
}

/** The ports of routers: ends inside, and gateways. */
export async function portsOf(db: Db, routerIds: readonly string[]): Promise<PortRow[]> {
  if (routerIds.length === 0) return []
  return await db
    .selectFrom('network_ports')
    .selectAll()
    .where('device_id', 'in', routerIds)
    .where('device_owner', 'in', [interfaceOwner, gatewayOwner])
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}

/** Routers between a subnet and an external network, with the address each has on the subnet. */
export async function between(
  db: Db,
  subnetId: string,
  externalNetworkId: string,
): Promise<{ id: string; ip_address: string }[]> {
  return await db
    .selectFrom('network_routers as r')
    .innerJoin('network_ports as p', 'p.device_id', 'r.id')
    .innerJoin('network_ip_allocations as a', 'a.port_id', 'p.id')
    .select(['r.id', 'a.ip_address'])
    .where('a.subnet_id', '=', subnetId)
    .where('p.device_owner', '=', interfaceOwner)
    .where('r.gateway_network_id', '=', externalNetworkId)
    .orderBy('r.created_at')
    .orderBy('r.id')
    .execute()
}

/** Whether a router on this host has an end on the network. */
export async function usesNetwork(db: Db, networkId: string, host: string): Promise<boolean> {
  const row = await db
    .selectFrom('network_ports as p')
    .innerJoin('network_routers as r', 'r.id', 'p.device_id')
    .select('r.id')
    .where('p.network_id', '=', networkId)
    .where('p.device_owner', 'in', [interfaceOwner, gatewayOwner])
    .where('r.host', '=', host)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** Whether a port of a router has an address of the subnet. */
export async function anyOnSubnet(db: Db, subnetId: string): Promise<boolean> {
  const row = await db
    .selectFrom('network_ip_allocations as a')
    .innerJoin('network_ports as p', 'p.id', 'a.port_id')
    .select('p.id')
    .where('a.subnet_id', '=', subnetId)
    .where('p.device_owner', 'in', [interfaceOwner, gatewayOwner])
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

export async function unplaced(db: Db, limit: number): Promise<RouterRow[]> {
  return await db
    .selectFrom('network_routers')
    .selectAll()
    .where('host', 'is', null)
    .where('unscheduled', '=', 0)
    .limit(limit)
    .execute()
}

/** The router is this host's from now on. */
export async function place(trx: Trx, id: string, host: string): Promise<void> {
  await trx
    .updateTable('network_routers')
    .set({ host, unscheduled: 0, seen_generation: 0, generation: sql<number>`generation + 1` })
    .where('id', '=', id)
    .execute()
}

/** The router is no host's, and is to be nobody's until it is placed by hand. */
export async function unplace(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('network_routers')
    .set({ host: null, unscheduled: 1, generation: sql<number>`generation + 2` })
    .where('id', '=', id)
    .execute()
}

export async function onHost(db: Db, host: string): Promise<RouterRow[]> {
  return await db.selectFrom('network_routers').selectAll().where('host', '=', host).orderBy('id').execute()
}

/** How many routers each host has. */
export async function perHost(db: Db): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('network_routers')
    .select((eb) => ['host', eb.fn.countAll<number>().as('n')])
    .where('host', 'is not', null)
    .groupBy('host')
    .execute()
  return new Map(rows.map((row) => [row.host ?? '', Number(row.n)]))
}

/** Routers whose host has not yet done what is wanted. */
export async function unsettled(db: Db, hosts: readonly string[], limit: number): Promise<RouterRow[]> {
  if (hosts.length === 0) return []
  return await db
    .selectFrom('network_routers')
    .selectAll()
    .where('host', 'in', hosts)
    .whereRef('seen_generation', '<', 'generation')
    .orderBy('host')
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** The host has done this generation, or could not. False for a report of an older wish, or of another host. */
export async function reported(
  trx: Trx,
  report: { routerId: string; host: string; generation: number; fault: string | null },
): Promise<boolean> {
  const { fault, generation } = report
  const { numUpdatedRows } = await trx
    .updateTable('network_routers')
    .set({
      fault,
      status: fault === null ? 'ACTIVE' : 'ERROR',
      ...(fault === null && { seen_generation: generation }),
    })
    .where('id', '=', report.routerId)
    .where('host', '=', report.host)
    .where('generation', '=', generation)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** The router's ports and floating addresses work now (or do not, while it is down). */
export async function setWorking(trx: Trx, routerId: string, works: boolean): Promise<void> {
  const status = works ? 'ACTIVE' : 'DOWN'
  await trx
    .updateTable('network_ports')
    .set({ status })
    .where('device_id', '=', routerId)
    .where('device_owner', 'in', [interfaceOwner, gatewayOwner])
    .where('status', '!=', status)
    .execute()
  await trx
    .updateTable('network_floating_ips')
    .set({ status })
    .where('router_id', '=', routerId)
    .where('status', '!=', status)
    .execute()
}

/** All routers of a host get new orders: it has begun anew. */
export async function touchHost(trx: Trx, host: string): Promise<void> {
  await trx
    .updateTable('network_routers')
    .set({ generation: sql<number>`generation + 1` })
    .where('host', '=', host)
    .execute()
}

/** The routers that a host has done all of. */
export async function settledAt(db: Db, host: string): Promise<string[]> {
  const rows = await db
    .selectFrom('network_routers')
    .select('id')
    .where('host', '=', host)
    .whereRef('seen_generation', '>=', 'generation')
    .execute()
  return rows.map((row) => row.id)
}

/** Those of `ids` that are a host's, or that it was told to take down. */
export async function knownAt(db: Db, host: string, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const own = await db
    .selectFrom('network_routers')
    .select('id')
    .where('host', '=', host)
    .where('id', 'in', ids)
    .execute()
  const going = await db
    .selectFrom('network_gone_routers')
    .select('router_id as id')
    .where('host', '=', host)
    .where('router_id', 'in', ids)
    .execute()
  return new Set([...own, ...going].map((row) => row.id))
}

export async function insertGone(trx: Trx, row: GoneRoutersTable): Promise<void> {
  await trx
    .insertInto('network_gone_routers')
    .values(row)
    .onConflict((conflict) => conflict.columns(['router_id', 'host']).doUpdateSet({ generation: row.generation }))
    .execute()
}

export async function removeGone(trx: Trx, routerId: string, host: string, generation: number): Promise<void> {
  await trx
    .deleteFrom('network_gone_routers')
    .where('router_id', '=', routerId)
    .where('host', '=', host)
    .where('generation', '<=', generation)
    .execute()
}

export async function gone(db: Db, hosts: readonly string[]): Promise<Selectable<GoneRoutersTable>[]> {
  if (hosts.length === 0) return []
  return await db.selectFrom('network_gone_routers').selectAll().where('host', 'in', hosts).execute()
}
