import { type ExpressionBuilder, type RawBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import type { Db, Tables } from '../../../platform/db/database.ts'
import { page, type SortKey } from '../../../platform/db/paging.ts'
import { type Server, serverOf } from './server.ts'
import type { ServersTable, TaskState, VmState } from './tables.ts'

type Column = keyof ServersTable
type Query = SelectQueryBuilder<Tables, 'compute_servers', ServersTable>

export interface ServerQuery {
  /** null: every project's. */
  projectId: string | null
  /** null: deleted ones too. */
  deleted: boolean | null
  /** Exact, any of the values. */
  equal: Partial<Record<Column, readonly (string | number | null)[]>>
  /** Regular expressions, found anywhere in the column. */
  matches: Partial<Record<Column, string>>
  vmStates: readonly VmState[] | null
  taskStates: readonly TaskState[] | null
  locked: boolean | null
  changesSince: string | null
  changesBefore: string | null
  metadata: Readonly<Record<string, string>>
  tags: { all: readonly string[]; any: readonly string[]; notAll: readonly string[]; notAny: readonly string[] }
  /** Servers found otherwise, as by address; null: any. */
  ids: readonly string[] | null
  sortKeys: readonly SortKey<Column>[]
  limit: number
  marker: Server | null
}

/** One page, with the same number of queries whatever its length and depth. */
export async function list(db: Db, wanted: ServerQuery): Promise<Server[]> {
  let query: Query = db.selectFrom('compute_servers').selectAll()
  if (wanted.projectId !== null) query = query.where('project_id', '=', wanted.projectId)
  if (wanted.deleted !== null) query = query.where('deleted', '=', wanted.deleted ? 1 : 0)
  // One that can be restored is deleted, unless it is asked for by its state.
  if (wanted.deleted === false && !wanted.vmStates?.includes('soft-delete'))
    query = query.where('vm_state', '!=', 'soft-delete')
  if (wanted.ids !== null) query = query.where('id', 'in', wanted.ids.length > 0 ? wanted.ids : [''])
  if (wanted.vmStates !== null)
    query = query.where('vm_state', 'in', wanted.vmStates.length > 0 ? wanted.vmStates : ['' as VmState])
  if (wanted.taskStates !== null) query = query.where('task_state', 'in', wanted.taskStates)
  if (wanted.locked !== null) query = query.where('locked_by', wanted.locked ? 'is not' : 'is', null)
  if (wanted.changesSince !== null) query = query.where('updated_at', '>=', wanted.changesSince)
  if (wanted.changesBefore !== null) query = query.where('updated_at', '<=', wanted.changesBefore)
  for (const [column, values] of Object.entries(wanted.equal) as [Column, readonly (string | number | null)[]][]) {
    query = query.where((eb) =>
      eb.or(values.map((value) => (value === null ? eb(column, 'is', null) : eb(column, '=', value as never)))),
    )
  }
  for (const [column, pattern] of Object.entries(wanted.matches) as [Column, string][]) {
    query = query.where(found(sql.ref(`compute_servers.${column}`), pattern))
  }
  query = withMetadata(query, wanted.metadata)
  query = withTags(query, wanted.tags)
  const rows = await page(query, {
    sortKeys: wanted.sortKeys,
    limit: wanted.limit,
    markerRow: wanted.marker ? await markerRow(db, wanted.marker.id) : null,
  })
  return rows.map(serverOf)
}

/**
 * Whether an expression is found in a column. Most are plain words, with or without their ends, as clients send a name:
 * those are compared, by an index when it is the whole, as running an expression over every server takes its time.
 */
function found(column: RawBuilder<unknown>, pattern: string): RawBuilder<SqlBool> {
  const [, start, word = '', end] = /^(\^?)([\p{L}\p{N} _:@,=-]+)(\$?)$/u.exec(pattern) ?? []
  if (word !== '' && start && end) return sql`${column} = ${word}`
  if (word !== '' && start) return sql`substr(${column}, 1, length(${word})) = ${word}`
  if (word !== '' && !end) return sql`replace(${column}, ${word}, '') != ${column}`
  return sql`regexp_like(${column}, ${pattern})`
}

/** Of all that are not deleted in a project, or in all. */
export async function idsOf(db: Db, projectId: string | null): Promise<string[]> {
  let query = db.selectFrom('compute_servers').select('id').where('deleted', '=', 0)
  if (projectId !== null) query = query.where('project_id', '=', projectId)
  return (await query.execute()).map((row) => row.id)
}

async function markerRow(db: Db, id: string): Promise<ServersTable> {
  return await db.selectFrom('compute_servers').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
}

function withMetadata(query: Query, metadata: Readonly<Record<string, string>>): Query {
  for (const [key, value] of Object.entries(metadata)) {
    query = query.where('id', 'in', (eb) =>
      eb.selectFrom('compute_server_metadata').select('server_id').where('key', '=', key).where('value', '=', value),
    )
  }
  return query
}

function withTags(query: Query, { all, any, notAll, notAny }: ServerQuery['tags']): Query {
  type Builder = ExpressionBuilder<Tables, 'compute_servers'>
  const tagged = (eb: Builder, tags: readonly string[]) =>
    eb('id', 'in', eb.selectFrom('compute_server_tags').select('server_id').where('tag', 'in', tags))
  for (const tag of all) query = query.where((eb) => tagged(eb, [tag]))
  if (any.length > 0) query = query.where((eb) => tagged(eb, any))
  if (notAll.length > 0) query = query.where((eb) => eb.not(eb.and(notAll.map((tag) => tagged(eb, [tag])))))
  if (notAny.length > 0) query = query.where((eb) => eb.not(tagged(eb, notAny)))
  return query
}
