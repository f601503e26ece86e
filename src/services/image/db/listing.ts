import { type Expression, type SqlBool, sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import { type Image, withDetails } from './images.ts'
import type { MemberStatus, Visibility } from './tables.ts'

/** Who looks: administrators see everything, others what is theirs, shared with them, or open. */
export interface Viewer {
  projectId: string | null
  isAdmin: boolean
}

type Column =
  | 'id'
  | 'name'
  | 'status'
  | 'owner'
  | 'container_format'
  | 'disk_format'
  | 'checksum'
  | 'os_hash_algo'
  | 'os_hash_value'
  | 'size'
  | 'virtual_size'
  | 'min_disk'
  | 'min_ram'
  | 'protected'
  | 'os_hidden'
  | 'created_at'
  | 'updated_at'

export type Condition =
  | { column: Column; op: '=' | '!=' | '<' | '<=' | '>' | '>='; value: string | number }
  | { column: Column; op: 'in'; value: readonly string[] }
  | { property: string; value: string }
  | { tag: string }
  | { anyOf: readonly Condition[] }
  | { allOf: readonly Condition[] }

export const sortKeys = [
  'name',
  'status',
  'container_format',
  'disk_format',
  'size',
  'id',
  'created_at',
  'updated_at',
] as const
export type SortKey = (typeof sortKeys)[number]

export interface Sort {
  key: SortKey
  direction: 'asc' | 'desc'
}

export interface Query {
  conditions: readonly Condition[]
  /** undefined: everything but other projects' community images. */
  visibility: Visibility | 'all' | undefined
  memberStatus: MemberStatus | 'all'
  /** Must end with a unique key. */
  sort: readonly Sort[]
  /** The last image of the page before. */
  after: Image | undefined
  limit: number
}

/** A page of images. */
export async function list(db: Db, viewer: Viewer, query: Query): Promise<Image[]> {
  let rows = db.selectFrom('image_images').selectAll('image_images').where('status', '!=', 'killed')
  rows = rows.where(sees(viewer, query))
  for (const condition of query.conditions) rows = rows.where(conditionSql(condition))
  if (query.after) rows = rows.where(later(query.sort, query.after))
  for (const { key, direction } of query.sort) rows = rows.orderBy(sortable(key), direction)
  return withDetails(db, await rows.limit(query.limit).execute())
}

function sees(viewer: Viewer, { visibility, memberStatus }: Query): Expression<SqlBool> {
  const owner = viewer.projectId ?? ''
  const parts: Expression<SqlBool>[] = []
  if (visibility === undefined) parts.push(sql`(visibility != 'community' or owner = ${owner})`)
  else if (visibility !== 'all') parts.push(sql`visibility = ${visibility}`)
  if (!viewer.isAdmin) {
    const status = memberStatus === 'all' ? sql`` : sql`and status = ${memberStatus}`
    parts.push(
      sql`(visibility in ('public', 'community') or owner = ${owner} or (visibility = 'shared' and id in
        (select image_id from image_members where member_id = ${owner} ${status})))`,
    )
  }
  return parts.length > 0 ? sql.join<SqlBool>(parts, sql` and `) : sql`1 = 1`
}

function conditionSql(condition: Condition): Expression<SqlBool> {
  if ('anyOf' in condition) return sql`(${sql.join(condition.anyOf.map(conditionSql), sql` or `)})`
  if ('allOf' in condition) return sql`(${sql.join(condition.allOf.map(conditionSql), sql` and `)})`
  if ('tag' in condition) return sql`id in (select image_id from image_tags where tag = ${condition.tag})`
  if ('property' in condition) {
    return sql`id in (select image_id from image_properties
      where name = ${condition.property} and value = ${condition.value})`
  }
  if (condition.op === 'in') {
    return condition.value.length === 0 ? sql`1 = 0` : sql`${shown(condition.column)} in (${sql.join(condition.value)})`
  }
  return sql`${shown(condition.column)} ${sql.raw(condition.op)} ${condition.value}`
}

/** A column as the image shows it: one whose data is staged has its phase for a status. */
const shown = (column: Column): Expression<string | number> =>
  column === 'status' ? sql`coalesce(import_phase, status)` : sql.ref(column)

/** Null sorts first ascending and last descending, on both engines alike. */
function sortable(key: SortKey): Expression<string | number> {
  if (key === 'size') return sql`coalesce(size, -1)`
  if (key === 'name' || key === 'container_format' || key === 'disk_format') return sql`coalesce(${sql.ref(key)}, '')`
  return shown(key)
}

function sortValue(image: Image, key: SortKey): string | number {
  switch (key) {
    case 'name':
      return image.name ?? ''
    case 'container_format':
      return image.containerFormat ?? ''
    case 'disk_format':
      return image.diskFormat ?? ''
    case 'size':
      return image.size ?? -1
    case 'created_at':
      return image.createdAt
    case 'updated_at':
      return image.updatedAt
    default:
      return image[key]
  }
}

/** Everything that sorts behind `image`: the first key that differs decides. */
function later(sort: readonly Sort[], image: Image): Expression<SqlBool> {
  const branches = sort.map(({ key, direction }, i) => {
    const same = sort.slice(0, i).map((before) => sql`${sortable(before.key)} = ${sortValue(image, before.key)}`)
    const beyond = sql`${sortable(key)} ${sql.raw(direction === 'asc' ? '>' : '<')} ${sortValue(image, key)}`
    return sql`(${sql.join([...same, beyond], sql` and `)})`
  })
  return sql`(${sql.join(branches, sql` or `)})`
}
