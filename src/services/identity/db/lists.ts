import { type RawBuilder, sql } from 'kysely'
import type { Flag } from './tables.ts'

/** How a filter compares; `i…` without regard to case. Source: Identity API reference, "Filtering". */
export const operators = [
  'equals',
  'contains',
  'startswith',
  'endswith',
  'iequals',
  'icontains',
  'istartswith',
  'iendswith',
] as const

/** How moments compare. Source: Identity API reference, "List users", `password_expires_at`. */
export const comparisons = { lt: '<', lte: '<=', gt: '>', gte: '>=', eq: '=', neq: '<>' } as const
export type Comparison = keyof typeof comparisons

export interface Filter<Column extends string = string> {
  readonly column: Column
  readonly operator: (typeof operators)[number] | Comparison
  readonly value: string | number | null
}

/** One page of a list, ordered by id: which rows, after which id, and how many at most (null: all). */
export interface Page<Column extends string = string> {
  readonly filters: readonly Filter<Column>[]
  readonly marker: string | null
  readonly limit: number | null
}

/**
 * The page's rows as a condition. Spelled with functions that both engines have: their LIKEs differ in what they take
 * for the same letter.
 */
export function onPage(page: Pick<Page, 'filters' | 'marker'>, idColumn = 'id'): RawBuilder<boolean> {
  const parts = page.filters.map(condition)
  if (page.marker !== null) parts.push(sql`${sql.ref(idColumn)} > ${page.marker}`)
  return parts.length === 0 ? sql<boolean>`1 = 1` : sql<boolean>`${sql.join(parts, sql` and `)}`
}

function condition({ column, operator, value }: Filter): RawBuilder<unknown> {
  if (value === null) return sql`${sql.ref(column)} is null`
  if (typeof value === 'number') return sql`${sql.ref(column)} = ${value}`
  if (operator in comparisons)
    return sql`${sql.ref(column)} ${sql.raw(comparisons[operator as Comparison])} cast(${value} as text)`
  const loose = operator.startsWith('i')
  const text = loose ? sql`lower(${sql.ref(column)})` : sql.ref(column)
  const wanted = sql`cast(${loose ? value.toLowerCase() : value} as text)`
  switch (loose ? operator.slice(1) : operator) {
    case 'contains':
      return sql`replace(${text}, ${wanted}, '') <> ${text}`
    case 'startswith':
      return sql`substr(${text}, 1, length(${wanted})) = ${wanted}`
    case 'endswith':
      return sql`(length(${text}) >= length(${wanted})
        and substr(${text}, length(${text}) - length(${wanted}) + 1) = ${wanted})`
    default:
      return sql`${text} = ${wanted}`
  }
}

/** JSON kept as text; written by us, so it is an object. */
export const objectOf = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>

export const flag = (value: boolean): Flag => (value ? 1 : 0)

/** Both engines bound the parameters of a statement (SQLite at 32,766). */
const chunk = 10_000

/** Runs a query over any number of ids, a bounded number at a time. */
export async function inChunks<T>(
  ids: readonly string[],
  load: (some: readonly string[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const found: T[] = []
  for (let at = 0; at < ids.length; at += chunk) found.push(...(await load(ids.slice(at, at + chunk))))
  return found
}
