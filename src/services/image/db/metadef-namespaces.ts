import { type Expression, type Selectable, type SqlBool, sql } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import type { Viewer } from './listing.ts'
import type { MetadefNamespacesTable } from './metadef-tables.ts'

export interface Namespace {
  id: string
  namespace: string
  displayName: string | null
  description: string | null
  visibility: 'public' | 'private'
  protected: boolean
  owner: string | null
  createdAt: string
  updatedAt: string
}

type Row = Selectable<MetadefNamespacesTable>

const namespaceOf = (row: Row): Namespace => ({
  id: row.id,
  namespace: row.namespace,
  displayName: row.display_name,
  description: row.description,
  visibility: row.visibility,
  protected: row.protected === 1,
  owner: row.owner,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

const rowOf = (namespace: Namespace): Row => ({
  id: namespace.id,
  namespace: namespace.namespace,
  display_name: namespace.displayName,
  description: namespace.description,
  visibility: namespace.visibility,
  protected: namespace.protected ? 1 : 0,
  owner: namespace.owner,
  created_at: namespace.createdAt,
  updated_at: namespace.updatedAt,
})

export async function find(db: Db, name: string): Promise<Namespace | undefined> {
  const row = await db
    .selectFrom('image_metadef_namespaces')
    .selectAll()
    .where('namespace', '=', name)
    .executeTakeFirst()
  return row && namespaceOf(row)
}

/** false when the name is taken. */
export async function insert(trx: Trx, namespace: Namespace): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('image_metadef_namespaces')
    .values(rowOf(namespace))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** @throws a unique violation when the new name is taken. */
export async function save(trx: Trx, namespace: Namespace): Promise<void> {
  const { id, ...changed } = rowOf(namespace)
  await trx.updateTable('image_metadef_namespaces').set(changed).where('id', '=', id).execute()
}

/** With all that it contains. */
export async function remove(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('image_metadef_namespaces').where('id', '=', id).execute()
}

export const namespaceSortKeys = [
  'created_at',
  'updated_at',
  'id',
  'namespace',
  'display_name',
  'description',
  'visibility',
  'protected',
  'owner',
] as const

export interface NamespaceQuery {
  visibility: 'public' | 'private' | undefined
  /** Only those associated with one of these. */
  resourceTypes: readonly string[] | undefined
  sortKey: (typeof namespaceSortKeys)[number]
  direction: 'asc' | 'desc'
  /** The last one of the page before. */
  after: Namespace | undefined
  limit: number
}

/** A page of what the viewer may know of: public namespaces, and the own project's. */
export async function list(db: Db, viewer: Viewer, query: NamespaceQuery): Promise<Namespace[]> {
  const { visibility, resourceTypes, after, direction, limit } = query
  const keys = [...new Set([query.sortKey, 'created_at', 'id'] as const)]
  const beyond = sql.raw(direction === 'asc' ? '>' : '<')
  const value = (key: (typeof keys)[number]) =>
    key === 'display_name' || key === 'description' || key === 'owner'
      ? sql`coalesce(${sql.ref(key)}, '')`
      : sql.ref(key)
  let rows = db.selectFrom('image_metadef_namespaces').selectAll()
  if (!viewer.isAdmin) {
    rows = rows.where((eb) => eb.or([eb('visibility', '=', 'public'), eb('owner', '=', viewer.projectId ?? '')]))
  }
  if (visibility) rows = rows.where('visibility', '=', visibility)
  if (resourceTypes) {
    rows = rows.where('id', 'in', (eb) =>
      eb
        .selectFrom('image_metadef_items')
        .select('namespace_id')
        .where('kind', '=', 'resource_type')
        .where('key', 'in', [...resourceTypes]),
    )
  }
  if (after) {
    const last = rowOf(after)
    const branches = keys.map((key, i) => {
      const same = keys.slice(0, i).map((before) => sql`${value(before)} = ${last[before] ?? ''}`)
      return sql`(${sql.join([...same, sql`${value(key)} ${beyond} ${last[key] ?? ''}`], sql` and `)})`
    })
    rows = rows.where(sql`(${sql.join(branches, sql` or `)})` as Expression<SqlBool>)
  }
  for (const key of keys) rows = rows.orderBy(value(key), direction)
  return (await rows.limit(limit).execute()).map(namespaceOf)
}
