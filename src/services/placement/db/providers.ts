import { type Selectable, sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { ProvidersTable } from './tables.ts'

export type ProviderRow = Selectable<ProvidersTable>

/** In order of name; by ids, or all. */
export async function list(db: Db, ids?: readonly string[]): Promise<ProviderRow[]> {
  let query = db.selectFrom('placement_providers').selectAll().orderBy('name')
  if (ids) query = query.where('id', 'in', ids)
  return await query.execute()
}

export async function find(db: Db, id: string): Promise<ProviderRow | undefined> {
  return await db.selectFrom('placement_providers').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function findNamed(db: Db, name: string): Promise<ProviderRow | undefined> {
  return await db.selectFrom('placement_providers').selectAll().where('name', '=', name).executeTakeFirst()
}

export async function insert(db: Db, row: ProviderRow): Promise<void> {
  await db.insertInto('placement_providers').values(row).execute()
}

export async function update(db: Db, id: string, patch: Partial<ProviderRow>): Promise<void> {
  await db.updateTable('placement_providers').set(patch).where('id', '=', id).execute()
}

/** Puts a subtree, given by its providers, under another root. */
export async function setRoot(db: Db, ids: readonly string[], rootId: string): Promise<void> {
  await db.updateTable('placement_providers').set({ root_id: rootId }).where('id', 'in', ids).execute()
}

/** One more change of each; to be called in the transaction of the change. */
export async function bump(db: Db, ids: readonly string[], at: string): Promise<void> {
  if (ids.length === 0) return
  await db
    .updateTable('placement_providers')
    .set({ generation: sql<number>`generation + 1`, updated_at: at })
    .where('id', 'in', ids)
    .execute()
}

export async function hasChildren(db: Db, id: string): Promise<boolean> {
  const query = db.selectFrom('placement_providers').select('id').where('parent_id', '=', id)
  return (await query.limit(1).executeTakeFirst()) !== undefined
}

/** With its inventories, traits and aggregates; it must hold no allocation. */
export async function remove(db: Db, id: string): Promise<void> {
  for (const table of [
    'placement_inventories',
    'placement_provider_traits',
    'placement_provider_aggregates',
  ] as const) {
    await db.deleteFrom(table).where('provider_id', '=', id).execute()
  }
  await db.deleteFrom('placement_providers').where('id', '=', id).execute()
}

/** The traits of some providers, or of all. */
export async function traits(db: Db, ids?: readonly string[]): Promise<Map<string, string[]>> {
  let query = db.selectFrom('placement_provider_traits').selectAll().orderBy('trait')
  if (ids) query = query.where('provider_id', 'in', ids)
  const rows = await query.execute()
  return grouped(rows, (row) => row.trait)
}

export async function setTraits(db: Db, id: string, wanted: readonly string[]): Promise<void> {
  await db.deleteFrom('placement_provider_traits').where('provider_id', '=', id).execute()
  const values = [...new Set(wanted)].map((trait) => ({ provider_id: id, trait }))
  if (values.length > 0) await db.insertInto('placement_provider_traits').values(values).execute()
}

/** The aggregates of some providers, or of all. */
export async function aggregates(db: Db, ids?: readonly string[]): Promise<Map<string, string[]>> {
  let query = db.selectFrom('placement_provider_aggregates').selectAll().orderBy('aggregate_id')
  if (ids) query = query.where('provider_id', 'in', ids)
  const rows = await query.execute()
  return grouped(rows, (row) => row.aggregate_id)
}

export async function setAggregates(db: Db, id: string, wanted: readonly string[]): Promise<void> {
  await db.deleteFrom('placement_provider_aggregates').where('provider_id', '=', id).execute()
  const values = [...new Set(wanted)].map((aggregate_id) => ({ provider_id: id, aggregate_id }))
  if (values.length > 0) await db.insertInto('placement_provider_aggregates').values(values).execute()
}

function grouped<R extends { provider_id: string }>(
  rows: readonly R[],
  textOf: (row: R) => string,
): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const row of rows) {
    const list = found.get(row.provider_id)
    if (list) list.push(textOf(row))
    else found.set(row.provider_id, [textOf(row)])
  }
  return found
}
