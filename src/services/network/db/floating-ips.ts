import { type Insertable, type Selectable, sql, type Updateable } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { type Listing, listed } from './listing.ts'
import type { FloatingIpsTable } from './router-tables.ts'

export type FloatingIpRow = Selectable<FloatingIpsTable>

export async function find(db: Db, id: string): Promise<FloatingIpRow | undefined> {
  return await db.selectFrom('network_floating_ips').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function list(db: Db, listing: Listing): Promise<FloatingIpRow[]> {
  return await listed(db.selectFrom('network_floating_ips').selectAll(), listing)
}

export async function insert(trx: Trx, row: Insertable<FloatingIpsTable>): Promise<void> {
  await trx.insertInto('network_floating_ips').values(row).execute()
}

export async function update(trx: Trx, id: string, changes: Updateable<FloatingIpsTable>): Promise<void> {
  await trx
    .updateTable('network_floating_ips')
    .set({ ...changes, revision_number: sql<number>`revision_number + 1` })
    .where('id', '=', id)
    .execute()
}

export async function remove(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('network_floating_ips').where('id', '=', id).execute()
}

export async function ofRouters(db: Db, routerIds: readonly string[]): Promise<FloatingIpRow[]> {
  if (routerIds.length === 0) return []
  return await db
    .selectFrom('network_floating_ips')
    .selectAll()
    .where('router_id', 'in', routerIds)
    .orderBy('floating_ip_address')
    .execute()
}

export async function ofPorts(db: Db, portIds: readonly string[]): Promise<FloatingIpRow[]> {
  if (portIds.length === 0) return []
  return await db
    .selectFrom('network_floating_ips')
    .selectAll()
    .where('port_id', 'in', portIds)
    .orderBy('floating_ip_address')
    .execute()
}

/** Those of an external network that lead nowhere. */
export async function idleOn(db: Db, networkId: string): Promise<FloatingIpRow[]> {
  return await db
    .selectFrom('network_floating_ips')
    .selectAll()
    .where('floating_network_id', '=', networkId)
    .where('port_id', 'is', null)
    .execute()
}
