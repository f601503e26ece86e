import { type Selectable, sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { InventoriesTable } from './tables.ts'

/** One inventory with all that the API shows of it, and what is held of it. */
export type Stock = Omit<Selectable<InventoriesTable>, 'default_ratio'>

const columns = [
  ...(['provider_id', 'resource_class', 'total', 'reserved', 'allocation_ratio', 'used'] as const),
  ...(['min_unit', 'max_unit', 'step_size'] as const),
]

/** Of some providers, or of all. */
export async function list(db: Db, providerIds?: readonly string[]): Promise<Stock[]> {
  let query = db.selectFrom('placement_inventories').select(columns).orderBy('resource_class')
  if (providerIds) query = query.where('provider_id', 'in', providerIds)
  return (await query.execute()).map((row) => ({ ...row, used: Number(row.used) }))
}

/** Writes an inventory; what is used stays. */
export async function put(db: Db, stock: Omit<Stock, 'used'>): Promise<void> {
  const { provider_id, resource_class, ...values } = stock
  await db
    .insertInto('placement_inventories')
    .values({ ...stock, used: 0, default_ratio: null })
    .onConflict((conflict) => conflict.columns(['provider_id', 'resource_class']).doUpdateSet(values))
    .execute()
}

export async function remove(db: Db, providerId: string, classes: readonly string[]): Promise<void> {
  await db
    .deleteFrom('placement_inventories')
    .where('provider_id', '=', providerId)
    .where('resource_class', 'in', classes)
    .execute()
}

/** Moves what is held by so much, up or down, without asking whether there is room. */
export async function shift(db: Db, providerId: string, resourceClass: string, by: number): Promise<void> {
  await db
    .updateTable('placement_inventories')
    .set({ used: sql<number>`used + ${by}` })
    .where('provider_id', '=', providerId)
    .where('resource_class', '=', resourceClass)
    .execute()
}
