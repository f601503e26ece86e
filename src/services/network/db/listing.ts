import { type RawBuilder, type SelectQueryBuilder, type SqlBool, type StringReference, sql } from 'kysely'
import { page, type SortKey } from '../../../platform/db/paging.ts'
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

/** Networks a project sees: its own, and those open to all. */
export const visibleNetworks = (projectId: string | null): RawBuilder<SqlBool> =>
  sql<SqlBool>`(project_id = ${projectId} or shared = 1 or external = 1)`

/** Subnets a project sees: its own, and those of shared networks. */
export const visibleSubnets = (projectId: string | null): RawBuilder<SqlBool> =>
  sql<SqlBool>`(project_id = ${projectId} or network_id in (select id from network_networks where shared = 1))`

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
