import { type RawBuilder, type SelectQueryBuilder, type SqlBool, type StringReference, sql } from 'kysely'

export interface SortKey<Column extends string = string> {
  /** Never the client's own text: what it asks for is looked up in the service's list of keys. */
  readonly column: Column
  readonly direction: 'asc' | 'desc'
  /** Say so for a column that may be null. Null is less than everything, as MySQL's users know it. */
  readonly nullable?: boolean
}

export interface PageRequest<Column extends string = string> {
  /** Most significant first. */
  readonly sortKeys: readonly SortKey<Column>[]
  /** The page starts after this row (before it when `reverse`), which need not match the query's filters. */
  readonly markerRow?: object | null | undefined
  readonly limit: number
  /** The page that ends before the marker, still in the order asked for. Source: Networking API, `page_reverse`. */
  readonly reverse?: boolean
  /** A column without duplicates and nulls that settles ties; `id` unless said otherwise. */
  readonly unique?: Column
}

/**
 * One page of `query`, which must have no order or limit of its own. Keyset paging: it costs the same at the millionth
 * row as at the first, if an index has the sort keys and then the unique column, as `(project_id, created_at, id)` after
 * an equality filter. The answer comes from up to one short query per change of direction or nullable key; each is a
 * contiguous range of that index, so no engine has to be clever about OR, or about where an index keeps its nulls.
 */
export async function page<DB, TB extends keyof DB, Row>(
  query: SelectQueryBuilder<DB, TB, Row>,
  request: PageRequest<StringReference<DB, TB>>,
): Promise<Row[]> {
  const keys = completed(request)
  const marker = request.markerRow ? new Map(Object.entries(request.markerRow)) : null
  const ranges = marker ? rangesAfter(keys, (key) => markerValue(marker, key)) : rangesOfAll(keys)
  const rows: Row[] = []
  for (const { conditions, settled } of ranges) {
    const left = request.limit - rows.length
    if (left <= 0) break
    let part = query.limit(left)
    for (const condition of conditions) part = part.where(condition)
    for (const [i, key] of keys.entries()) part = part.orderBy(order(key, i >= settled))
    rows.push(...((await part.execute()) as Row[]))
  }
  return request.reverse ? rows.reverse() : rows
}

/** The keys with the tie-breaker, turned round for `reverse`. It follows the last key, so that one index serves both. */
function completed(request: PageRequest): SortKey[] {
  const { sortKeys, unique = 'id', reverse = false } = request
  const seen = new Set<string>()
  const keys = sortKeys.filter(({ column }) => !seen.has(column) && seen.add(column))
  if (!seen.has(unique)) keys.push({ column: unique, direction: keys.at(-1)?.direction ?? 'asc' })
  return reverse ? keys.map((key) => ({ ...key, direction: key.direction === 'asc' ? 'desc' : 'asc' })) : keys
}

/** A contiguous stretch of the order. In the first `settled` keys no nulls and values meet, so their place is no question. */
interface Range {
  conditions: RawBuilder<SqlBool>[]
  settled: number
}

const isNull = ({ column }: SortKey): RawBuilder<SqlBool> => sql`${sql.ref(column)} is null`
const isNotNull = ({ column }: SortKey): RawBuilder<SqlBool> => sql`${sql.ref(column)} is not null`

function rangesOfAll(keys: readonly SortKey[]): Range[] {
  const [first] = keys
  if (!first?.nullable) return [{ conditions: [], settled: 1 }]
  const parts = [isNull(first), isNotNull(first)]
  if (first.direction === 'desc') parts.reverse()
  return parts.map((condition) => ({ conditions: [condition], settled: 1 }))
}

/** The rest of the innermost ties first, then what follows them, outwards. */
function rangesAfter(keys: readonly SortKey[], value: (key: SortKey) => unknown): Range[] {
  const ranges: Range[] = []
  let end = keys.length
  while (end > 0) {
    const start = runStart(keys, end)
    const run = keys.slice(start, end)
    const ties = keys.slice(0, start).map((key) => equal(key, value(key)))
    for (const condition of beyond(run, run.map(value))) ranges.push({ conditions: [...ties, condition], settled: end })
    end = start
  }
  return ranges
}

/** Where the run of keys before `end` begins that one row comparison covers: one direction, no nulls. */
function runStart(keys: readonly SortKey[], end: number): number {
  const last = keys[end - 1]!
  let start = end - 1
  if (last.nullable) return start
  while (start > 0 && !keys[start - 1]!.nullable && keys[start - 1]!.direction === last.direction) start--
  return start
}

function equal(key: SortKey, value: unknown): RawBuilder<SqlBool> {
  return value === null ? isNull(key) : sql`${sql.ref(key.column)} = ${value}`
}

function beyond(run: readonly SortKey[], values: readonly unknown[]): RawBuilder<SqlBool>[] {
  const key = run[0]!
  if (key.nullable && values[0] === null) return key.direction === 'asc' ? [isNotNull(key)] : []
  const columns = sql.join(run.map(({ column }) => sql.ref(column)))
  const after = sql<SqlBool>`(${columns}) ${sql.raw(key.direction === 'asc' ? '>' : '<')} (${sql.join(values)})`
  return key.nullable && key.direction === 'desc' ? [after, isNull(key)] : [after]
}

/** Where nulls go is said only where it matters: PostgreSQL uses an ordinary index only for its own default. */
function order({ column, direction, nullable }: SortKey, mixed: boolean): RawBuilder<unknown> {
  const nulls = nullable && mixed ? sql.raw(direction === 'asc' ? ' nulls first' : ' nulls last') : sql``
  return sql`${sql.ref(column)} ${sql.raw(direction)}${nulls}`
}

function markerValue(marker: ReadonlyMap<string, unknown>, { column, nullable }: SortKey): unknown {
  const value = marker.get(column.slice(column.lastIndexOf('.') + 1)) ?? null
  if (value === null && !nullable) throw new Error(`The marker row has no value for the sort key ${column}`)
  return value
}
