import type { Db } from '../../../platform/db/database.ts'

/** Names that clients made, beside the standard ones which are no rows. */
type Table = 'placement_traits' | 'placement_resource_classes'

/** In order. */
export async function list(db: Db, table: Table): Promise<string[]> {
  const rows = await db.selectFrom(table).select('name').orderBy('name').execute()
  return rows.map((row) => row.name)
}

export async function exists(db: Db, table: Table, name: string): Promise<boolean> {
  const row = await db.selectFrom(table).select('name').where('name', '=', name).executeTakeFirst()
  return row !== undefined
}

/** False when it was there already. */
export async function insert(db: Db, table: Table, name: string, at: string): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto(table)
    .values({ name, created_at: at })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

export async function rename(db: Db, table: Table, from: string, to: string): Promise<void> {
  await db.updateTable(table).set({ name: to }).where('name', '=', from).execute()
}

export async function remove(db: Db, table: Table, name: string): Promise<void> {
  await db.deleteFrom(table).where('name', '=', name).execute()
}

/** Whether a provider has the trait. */
export async function traitInUse(db: Db, name: string): Promise<boolean> {
  const query = db.selectFrom('placement_provider_traits').select('trait').where('trait', '=', name)
  return (await query.limit(1).executeTakeFirst()) !== undefined
}

/** Whether a provider has an inventory of the class. */
export async function classInUse(db: Db, name: string): Promise<boolean> {
  const query = db.selectFrom('placement_inventories').select('provider_id').where('resource_class', '=', name)
  return (await query.limit(1).executeTakeFirst()) !== undefined
}

/** Traits that some provider has. */
export async function usedTraits(db: Db): Promise<Set<string>> {
  const rows = await db.selectFrom('placement_provider_traits').select('trait').distinct().execute()
  return new Set(rows.map((row) => row.trait))
}
