import { type RawBuilder, type SelectQueryBuilder, type SqlBool, type StringReference, sql } from 'kysely'
import { page, type SortKey } from '../../../platform/db/paging.ts'
import type { ObjectType, SharingAction } from './sharing-tables.ts'
import './tables.ts'

/** What a list shows: all of `where` must hold. */
export interface Listing {
  where: readonly RawBuilder<SqlBool>[]
  sortKeys: readonly SortKey[]
  markerRow: object | null
  /** null for all. */
  limit: number | null
  reverse: boolean
}

/** `column` has one of `values`; an empty list of values holds for no row. */
export function among(column: string, values: readonly (string | number)[]): RawBuilder<SqlBool> {
  if (values.length === 0) return sql<SqlBool>`1 = 0`
  return values.length === 1
    ? sql<SqlBool>`${sql.ref(column)} = ${values[0]}`
    : sql<SqlBool>`${sql.ref(column)} in (${sql.join(values)})`
}

/** Whom a policy must be for, so that it is for this project. */
export const targets = (projectId: string | null): string[] => (projectId === null ? ['*'] : ['*', projectId])

/** The ids of all objects of a type that a project may use (or, with `access_as_external`, see as a way out). */
export const sharedIds = (
  type: ObjectType,
  projectId: string | null,
  actions: readonly SharingAction[] = ['access_as_shared'],
): RawBuilder<unknown> =>
  sql`(select object_id from network_rbac_policies where target_project in (${sql.join(targets(projectId))})
    and object_type = ${type} and action in (${sql.join(actions)}))`

/** What a project sees of what can be shared. */
export const ownOrShared = (type: ObjectType, projectId: string | null): RawBuilder<SqlBool> =>
  sql<SqlBool>`(project_id = ${projectId} or id in ${sharedIds(type, projectId)})`

/** Networks a project sees: its own, and those that a policy opens to it. */
export const visibleNetworks = (projectId: string | null): RawBuilder<SqlBool> =>
  sql<SqlBool>`(project_id = ${projectId}
    or id in ${sharedIds('network', projectId, ['access_as_shared', 'access_as_external'])})`

/** Subnets a project sees: its own, and those of networks shared with it. */
export const visibleSubnets = (projectId: string | null): RawBuilder<SqlBool> =>
  sql<SqlBool>`(project_id = ${projectId} or network_id in ${sharedIds('network', projectId)})`

/** What an object's `shared` says to this project, as a filter; of subnets, their network's. */
export const sharedWith = (
  type: ObjectType,
  projectId: string | null,
  shared: boolean,
  column = 'id',
): RawBuilder<SqlBool> => whether(shared, sql<SqlBool>`${sql.ref(column)} in ${sharedIds(type, projectId)}`)

/** Ports a project sees: its own, and those on its own networks. */
export const visiblePorts = (projectId: string | null): RawBuilder<SqlBool> =>
  sql<SqlBool>`(project_id = ${projectId}
    or network_id in (select id from network_networks where project_id = ${projectId}))`

export const ownOnly = (projectId: string | null): RawBuilder<SqlBool> => sql<SqlBool>`project_id = ${projectId}`

/** Ports with an address like this one, in all that is named. `part` is a piece of the address's text. */
export function portsByFixedIp(wish: {
  addresses: readonly string[]
  parts: readonly string[]
  subnets: readonly string[]
}): RawBuilder<SqlBool> {
  const tests: RawBuilder<SqlBool>[] = []
  if (wish.addresses.length > 0) tests.push(among('a.ip_address', wish.addresses))
  if (wish.subnets.length > 0) tests.push(among('a.subnet_id', wish.subnets))
  if (wish.parts.length > 0) {
    const parts = wish.parts.map(
      (part) => sql<SqlBool>`a.ip_address like ${`%${part.replace(/[\\%_]/g, '\\$&')}%`} escape '\\'`,
    )
    tests.push(sql<SqlBool>`(${sql.join(parts, sql` or `)})`)
  }
  return sql<SqlBool>`id in (select a.port_id from network_ip_allocations a where ${sql.join(tests, sql` and `)})`
}

export const portsByGroup = (groupIds: readonly string[]): RawBuilder<SqlBool> =>
  sql<SqlBool>`id in (select g.port_id from network_port_groups g where ${among('g.group_id', groupIds)})`

/** `column` reads as this flag; conditions for what is no column. */
export const whether = (yes: boolean, condition: RawBuilder<SqlBool>): RawBuilder<SqlBool> =>
  yes ? condition : sql<SqlBool>`not (${condition})`

/** Rows that carry a tag. `replace` because it tells capitals apart on both engines, which `like` does not. */
export const hasTag = (tag: string): RawBuilder<SqlBool> => sql<SqlBool>`replace(tags, ${`\n${tag}\n`}, '') <> tags`

/** `all` of the tags, or any of them. */
export const withTags = (tags: readonly string[], all: boolean): RawBuilder<SqlBool> =>
  sql<SqlBool>`(${sql.join(tags.map(hasTag), all ? sql` and ` : sql` or `)})`

/** Runs a list. Without a limit the whole of it, as Networking clients expect. */
export async function listed<DB, TB extends keyof DB, Row>(
  query: SelectQueryBuilder<DB, TB, Row>,
  listing: Listing,
): Promise<Row[]> {
  let narrowed = query
  for (const condition of listing.where) narrowed = narrowed.where(condition)
  return await page(narrowed, {
    sortKeys: listing.sortKeys as SortKey<StringReference<DB, TB>>[],
    markerRow: listing.markerRow,
    limit: listing.limit ?? 1_000_000_000,
    reverse: listing.reverse,
  })
}
