import type { FastifyRequest } from 'fastify'
import type { RawBuilder, SqlBool } from 'kysely'
import type { SortKey } from '../../../platform/db/paging.ts'
import { baseUrl, withQuery } from '../../../platform/http/links.ts'
import { among } from '../db/listing.ts'
import type { Attribute, Resource } from '../logic/attributes.ts'
import { malformed } from '../logic/errors.ts'
import { shown } from '../logic/values.ts'

/** What the query string of a list says, filters aside. */
export interface Paging {
  sortKeys: SortKey[]
  limit: number | null
  marker: string | null
  reverse: boolean
}

const reserved = new Set(['fields', 'limit', 'marker', 'page_reverse', 'sort_key', 'sort_dir'])

type Query = Record<string, string | string[] | undefined>

const queryOf = (request: FastifyRequest): Query => request.query as Query

const listOf = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value]
const oneOf = (value: string | string[] | undefined): string | undefined => listOf(value).at(-1)

/** Source: Network API reference, "Filtering and Column Selection", "Pagination", "Sorting". */
export function pagingOf(request: FastifyRequest, resource: Resource): Paging {
  const query = queryOf(request)
  const limit = oneOf(query.limit)
  if (limit !== undefined && !/^\d{1,9}$/.test(limit)) {
    throw malformed(`Limit must be an integer 0 or greater and not '${limit}'`)
  }
  return {
    sortKeys: sortKeysOf(listOf(query.sort_key), listOf(query.sort_dir), resource),
    limit: Number(limit ?? 0) || null,
    marker: oneOf(query.marker) || null,
    reverse: /^(true|1)$/i.test(oneOf(query.page_reverse) ?? ''),
  }
}

function sortKeysOf(keys: readonly string[], directions: readonly string[], resource: Resource): SortKey[] {
  if (keys.length !== directions.length && directions.length > 0) {
    throw malformed('The number of sort_keys and sort_dirs must be same')
  }
  return keys.map((key, i) => {
    const direction = directions[i] ?? 'asc'
    if (direction !== 'asc' && direction !== 'desc') {
      throw malformed(`${direction} is invalid value for sort_dirs, valid value is 'asc' and 'desc'`)
    }
    const column = Object.hasOwn(resource.attributes, key) ? resource.attributes[key]?.column : undefined
    if (!column) throw malformed(`[${`'${key}'`}] is invalid attribute for sort_keys`)
    return { column: column.name, direction, nullable: true }
  })
}

/** The attributes to show; null for all. */
export function fieldsOf(request: FastifyRequest): ReadonlySet<string> | null {
  const fields = listOf(queryOf(request).fields).filter((field) => field !== '')
  return fields.length > 0 ? new Set(fields) : null
}

export function selected(view: Record<string, unknown>, fields: ReadonlySet<string> | null): Record<string, unknown> {
  return fields ? Object.fromEntries(Object.entries(view).filter(([name]) => fields.has(name))) : view
}

/**
 * `?name=a&name=b&shared=true` → conditions, one per attribute. `special` answers for attributes that are no column.
 * @throws CloudError `badRequest` for what may not be filtered by
 */
export function filtersOf(
  request: FastifyRequest,
  resource: Resource,
  special: (name: string, values: string[]) => RawBuilder<SqlBool> | undefined,
): RawBuilder<SqlBool>[] {
  const conditions: RawBuilder<SqlBool>[] = []
  const refused: string[] = []
  for (const [name, value] of Object.entries(queryOf(request))) {
    if (reserved.has(name)) continue
    const attribute = Object.hasOwn(resource.attributes, name) ? resource.attributes[name] : undefined
    const values = listOf(value)
    if (attribute?.column) conditions.push(among(attribute.column.name, valuesOf(name, attribute.column.kind, values)))
    else {
      const condition = special(name, values)
      if (condition) conditions.push(condition)
      else refused.push(name)
    }
  }
  if (refused.length > 0) {
    throw malformed(`[${refused.map((name) => `'${name}'`).join(', ')}] is invalid attribute for filtering`)
  }
  return conditions
}

type Kind = NonNullable<Attribute['column']>['kind']

/** @throws CloudError `badRequest` */
export const flagOf = (name: string, value: string): boolean => valuesOf(name, 'flag', [value])[0] === 1

function valuesOf(name: string, kind: Kind, values: readonly string[]): (string | number)[] {
  if (kind === 'text') return [...values]
  return values.map((value) => {
    if (kind === 'flag' && /^(true|1)$/i.test(value)) return 1
    if (kind === 'flag' && /^(false|0)$/i.test(value)) return 0
    if (kind === 'integer' && /^-?\d{1,15}$/.test(value)) return Number(value)
    throw malformed(
      `Invalid input for ${name}. Reason: '${shown(value)}' cannot be converted to ${
        kind === 'flag' ? 'boolean' : 'integer'
      }.`,
    )
  })
}

/** Those of a short list that is in no table which the query string asks for. @throws CloudError `badRequest` */
export function matching<T extends object>(request: FastifyRequest, resource: Resource, all: readonly T[]): T[] {
  const wanted = Object.entries(queryOf(request)).filter(([name]) => !reserved.has(name))
  const unknown = wanted.filter(([name]) => !Object.hasOwn(resource.attributes, name))
  if (unknown.length > 0) {
    throw malformed(`[${unknown.map(([name]) => `'${name}'`).join(', ')}] is invalid attribute for filtering`)
  }
  return all.filter((one) => {
    const values = new Map<string, unknown>(Object.entries(one))
    return wanted.every(([name, value]) =>
      listOf(value).some((text) => text.toLowerCase() === String(values.get(name)).toLowerCase()),
    )
  })
}

/** Links to the pages beside this one. Source: Network API reference, "Pagination". */
export function pageLinks(
  request: FastifyRequest,
  { limit, reverse, marker }: Paging,
  ids: readonly string[],
): { rel: 'next' | 'previous'; href: string }[] {
  if (limit === null) return []
  const full = ids.length >= limit
  const links: { rel: 'next' | 'previous'; href: string }[] = []
  const link = (rel: 'next' | 'previous', changes: Record<string, string | null>) =>
    links.push({ rel, href: baseUrl(request) + withQuery(request, changes) })
  if (full || reverse) link('next', { marker: ids.at(-1) ?? null, page_reverse: null })
  if ((full || !reverse) && (marker !== null || reverse)) {
    link('previous', { marker: ids[0] ?? null, page_reverse: 'True' })
  }
  return links
}
