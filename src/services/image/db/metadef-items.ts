import { type Expression, type Selectable, type SqlBool, sql } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import type { MetadefItemsTable, MetadefKind } from './metadef-tables.ts'

/** An object, a property, a tag or an association with a resource type. */
export interface Item {
  namespaceId: string
  kind: MetadefKind
  name: string
  value: Record<string, unknown>
  position: number
  createdAt: string
  updatedAt: string
}

export type NewItem = Omit<Item, 'position'>

const itemOf = (row: Selectable<MetadefItemsTable>): Item => ({
  namespaceId: row.namespace_id,
  kind: row.kind,
  name: row.name,
  value: JSON.parse(row.value) as Record<string, unknown>,
  position: row.position,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

/** Tags are told apart without regard to case, the others by their exact name. */
const keyOf = (kind: MetadefKind, name: string): string => (kind === 'tag' ? name.toLowerCase() : name)

export async function find(db: Db, namespaceId: string, kind: MetadefKind, name: string): Promise<Item | undefined> {
  const row = await db
    .selectFrom('image_metadef_items')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('kind', '=', kind)
    .where('key', '=', keyOf(kind, name))
    .executeTakeFirst()
  return row && itemOf(row)
}

/** false when the namespace has one of that name. */
export async function insert(trx: Trx, item: NewItem): Promise<boolean> {
  const { last } = await trx
    .selectFrom('image_metadef_items')
    .select((eb) => eb.fn.max('position').as('last'))
    .where('namespace_id', '=', item.namespaceId)
    .executeTakeFirstOrThrow()
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('image_metadef_items')
    .values({
      namespace_id: item.namespaceId,
      kind: item.kind,
      key: keyOf(item.kind, item.name),
      name: item.name,
      value: JSON.stringify(item.value),
      position: Number(last ?? 0) + 1,
      created_at: item.createdAt,
      updated_at: item.updatedAt,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** Writes over the one called `oldName`. @throws a unique violation when the new name is taken. */
export async function save(trx: Trx, oldName: string, item: Item): Promise<void> {
  await trx
    .updateTable('image_metadef_items')
    .set({
      key: keyOf(item.kind, item.name),
      name: item.name,
      value: JSON.stringify(item.value),
      updated_at: item.updatedAt,
    })
    .where('namespace_id', '=', item.namespaceId)
    .where('kind', '=', item.kind)
    .where('key', '=', keyOf(item.kind, oldName))
    .execute()
}

/** One, or all of a kind. */
export async function remove(trx: Trx, namespaceId: string, kind: MetadefKind, name?: string): Promise<void> {
  let gone = trx.deleteFrom('image_metadef_items').where('namespace_id', '=', namespaceId).where('kind', '=', kind)
  if (name !== undefined) gone = gone.where('key', '=', keyOf(kind, name))
  await gone.execute()
}

export interface ItemQuery {
  sortKey: 'created_at' | 'updated_at' | 'name'
  direction: 'asc' | 'desc'
  after: Item | undefined
  limit: number | undefined
}

const everything: ItemQuery = { sortKey: 'created_at', direction: 'asc', after: undefined, limit: undefined }

/** Those of a kind in one namespace; all, the oldest first, unless asked otherwise. */
export async function list(db: Db, namespaceId: string, kind: MetadefKind, query = everything): Promise<Item[]> {
  const { sortKey, direction, after, limit } = query
  let rows = db
    .selectFrom('image_metadef_items')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('kind', '=', kind)
  if (after) {
    const beyond = sql.raw(direction === 'asc' ? '>' : '<')
    const last = { created_at: after.createdAt, updated_at: after.updatedAt, name: after.name }[sortKey]
    const key = sql.ref(sortKey)
    rows = rows.where(
      sql`(${key} ${beyond} ${last} or (${key} = ${last} and position ${beyond} ${after.position}))` as Expression<SqlBool>,
    )
  }
  rows = rows.orderBy(sortKey, direction).orderBy('position', direction)
  if (limit !== undefined) rows = rows.limit(limit)
  return (await rows.execute()).map(itemOf)
}

/** The associations of several namespaces at once. */
export async function associations(db: Db, namespaceIds: readonly string[]): Promise<Item[]> {
  if (namespaceIds.length === 0) return []
  const rows = await db
    .selectFrom('image_metadef_items')
    .selectAll()
    .where('namespace_id', 'in', [...namespaceIds])
    .where('kind', '=', 'resource_type')
    .orderBy('position')
    .execute()
  return rows.map(itemOf)
}

export interface ResourceType {
  name: string
  createdAt: string
  updatedAt: string
}

/** Repeatable. */
export async function ensureResourceType(trx: Trx, name: string, now: string): Promise<void> {
  await trx
    .insertInto('image_metadef_resource_types')
    .values({ name, created_at: now, updated_at: now })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export async function resourceTypes(db: Db): Promise<ResourceType[]> {
  const rows = await db.selectFrom('image_metadef_resource_types').selectAll().orderBy('name').execute()
  return rows.map((row) => ({ name: row.name, createdAt: row.created_at, updatedAt: row.updated_at }))
}
