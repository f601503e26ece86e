import { type Insertable, type Selectable, sql, type Updateable } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { type Listing, listed, ownOrShared } from './listing.ts'
import type { NetworksTable } from './tables.ts'

export type NetworkRow = Selectable<NetworksTable>

export async function find(db: Db, id: string): Promise<NetworkRow | undefined> {
  return await db.selectFrom('network_networks').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function list(db: Db, listing: Listing): Promise<NetworkRow[]> {
  return await listed(db.selectFrom('network_networks').selectAll(), listing)
}

export async function byIds(db: Db, ids: readonly string[]): Promise<Map<string, NetworkRow>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('network_networks').selectAll().where('id', 'in', ids).execute()
  return new Map(rows.map((row) => [row.id, row]))
}

/** What a server may be put on without being asked: the project's own networks, then those shared with it. */
export async function forProject(db: Db, projectId: string): Promise<{ own: NetworkRow[]; shared: NetworkRow[] }> {
  const rows = await db
    .selectFrom('network_networks')
    .selectAll()
    .where(ownOrShared('network', projectId))
    .orderBy('created_at')
    .execute()
  return {
    own: rows.filter((row) => row.project_id === projectId && !row.external),
    shared: rows.filter((row) => row.project_id !== projectId || row.external === 1),
  }
}

/** Its revision grows: something that is shown with it has changed. */
export async function bump(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('network_networks')
    .set({ revision_number: sql<number>`revision_number + 1` })
    .where('id', '=', id)
    .execute()
}

/** The way out that is taken when none is named. */
export async function defaultExternal(db: Db): Promise<NetworkRow | undefined> {
  return await db
    .selectFrom('network_networks')
    .selectAll()
    .where('is_default', '=', 1)
    .where('external', '=', 1)
    .executeTakeFirst()
}

/** False when the segment is taken. */
export async function insert(trx: Trx, row: Insertable<NetworksTable>): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('network_networks')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function update(trx: Trx, id: string, changes: Updateable<NetworksTable>): Promise<void> {
  await trx
    .updateTable('network_networks')
    .set({ ...changes, revision_number: sql<number>`revision_number + 1` })
    .where('id', '=', id)
    .execute()
}

export async function remove(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('network_networks').where('id', '=', id).execute()
}
