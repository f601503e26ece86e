import { type Insertable, type Selectable, sql, type Updateable } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { type Listing, listed } from './listing.ts'
import type { SubnetsTable } from './tables.ts'

export type SubnetRow = Selectable<SubnetsTable>

export async function find(db: Db, id: string): Promise<SubnetRow | undefined> {
  return await db.selectFrom('network_subnets').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function list(db: Db, listing: Listing): Promise<SubnetRow[]> {
  return await listed(db.selectFrom('network_subnets').selectAll(), listing)
}

/** All subnets of some networks, oldest first. */
export async function ofNetworks(db: Db, networkIds: readonly string[]): Promise<SubnetRow[]> {
  if (networkIds.length === 0) return []
  return await db
    .selectFrom('network_subnets')
    .selectAll()
    .where('network_id', 'in', networkIds)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}

export async function insert(trx: Trx, row: Insertable<SubnetsTable>): Promise<void> {
  await trx.insertInto('network_subnets').values(row).execute()
}

export async function update(trx: Trx, id: string, changes: Updateable<SubnetsTable>): Promise<void> {
  await trx
    .updateTable('network_subnets')
    .set({ ...changes, revision_number: sql<number>`revision_number + 1` })
    .where('id', '=', id)
    .execute()
}

export async function remove(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('network_subnets').where('id', '=', id).execute()
}
