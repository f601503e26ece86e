import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CompiledQuery, type Kysely, sql } from 'kysely'
import { eachDatabase } from '../../../test/support/databases.ts'
import type { Database } from './database.ts'
import { contains } from './filters.ts'
import { type PageRequest, page, type SortKey } from './paging.ts'

interface Row {
  id: string
  name: string | null
  size: number
  kind: string | null
}
type Column = 'id' | 'name' | 'size' | 'kind'
const kysely = (db: unknown) => db as Kysely<{ rows: Row }>

async function fill(database: Database, rows: Row[]): Promise<void> {
  await database.write(async (trx) => {
    await sql`create table rows (id text primary key, name text, size integer not null, kind text)`.execute(trx)
    await sql`create index rows_name on rows (name, id)`.execute(trx)
    await sql`create index rows_size on rows (size, id)`.execute(trx)
    for (let i = 0; i < rows.length; i += 500)
      await kysely(trx)
        .insertInto('rows')
        .values(rows.slice(i, i + 500))
        .execute()
  })
}

/** Chance with a seed (mulberry32), so that a failure can be repeated. */
function chance(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) % below
  }
}

/** The order that paging promises, said another way: null is least, `id` follows the last key. */
function sorted(rows: readonly Row[], keys: readonly SortKey<Column>[]): Row[] {
  const all = [...keys, { column: 'id', direction: keys.at(-1)?.direction ?? 'asc' }] as SortKey<Column>[]
  return rows.toSorted((a, b) => {
    for (const { column, direction } of all) {
      const order = compare(a[column], b[column])
      if (order !== 0) return direction === 'asc' ? order : -order
    }
    return 0
  })
}
function compare(a: string | number | null, b: string | number | null): number {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? -1 : 1
  return a < b ? -1 : 1
}

const columns: SortKey<Column>[] = [
  { column: 'name', direction: 'asc', nullable: true },
  { column: 'kind', direction: 'asc', nullable: true },
  { column: 'size', direction: 'asc' },
  { column: 'id', direction: 'asc' },
]

eachDatabase((name, open) => {
  test(`${name}: pages put together are the whole list in order, whatever the keys`, async (t) => {
    const database = await open(t)
    const pick = chance(7)
    const word = () => (pick(3) === 0 ? null : 'abc'[pick(3)]!)
    const rows = Array.from({ length: 60 }, (_, i) => {
      return { id: `${pick(1000)}-${i}`, name: word(), size: pick(4), kind: word() }
    })
    await fill(database, rows)
    const all = kysely(database.read).selectFrom('rows').selectAll()

    for (let round = 0; round < 80; round++) {
      const shuffled = columns.toSorted(() => pick(3) - 1).slice(0, pick(4))
      const sortKeys = shuffled.map((key): SortKey<Column> => ({ ...key, direction: pick(2) ? 'asc' : 'desc' }))
      const expected = sorted(rows, sortKeys)
      const limit = 1 + pick(25)
      const walk = async (reverse: boolean): Promise<Row[]> => {
        const seen: Row[] = []
        for (;;) {
          const markerRow = reverse ? seen[0] : seen.at(-1)
          const request: PageRequest<Column> = { sortKeys, limit, markerRow, reverse }
          const found = await page(all, request)
          if (reverse) seen.unshift(...found)
          else seen.push(...found)
          if (found.length < limit || seen.length > rows.length) return seen
        }
      }
      const about = `round ${round}: ${JSON.stringify(sortKeys)} by ${limit}`
      assert.deepEqual(await walk(false), expected, about)
      if (round % 4 === 0) assert.deepEqual(await walk(true), expected, `${about}, backwards`)
    }
  })

  test(`${name}: filters apply, and the marker need not match them`, async (t) => {
    const database = await open(t)
    const rows = ['a', 'b', 'c', 'd'].map((id, i) => ({ id, name: id, size: i % 2, kind: null }))
    await fill(database, rows)
    const even = kysely(database.read).selectFrom('rows').select('id').where('size', '=', 0)
    const sortKeys = [{ column: 'rows.name', direction: 'asc', nullable: true }] as const
    assert.deepEqual(await page(even, { sortKeys, markerRow: rows[1], limit: 10 }), [{ id: 'c' }])
    assert.deepEqual(await page(even, { sortKeys, limit: 0 }), [])
    const marker = { name: 'a' }
    await assert.rejects(page(even, { sortKeys, markerRow: marker, limit: 1 }), /marker row has no value.*id/)
  })

  test(`${name}: a page deep in a long list is one seek in an index, in either direction`, async (t) => {
    const database = await open(t)
    const rows = Array.from({ length: 6000 }, (_, i) => {
      return { id: String(i).padStart(6, '0'), name: i % 3 ? `n${i % 5}` : null, size: i % 7, kind: null }
    })
    await fill(database, rows)
    if (name === 'postgres') await database.write((trx) => sql`analyze rows`.execute(trx))
    for (const column of columns.filter((key) => key.column !== 'kind')) {
      for (const direction of ['asc', 'desc'] as const) {
        const sortKeys = [{ ...column, direction }]
        for (const markerRow of [undefined, rows[3000], rows[3001]]) {
          const plans = await plansOf(database, { sortKeys, markerRow, limit: 20 })
          for (const plan of plans) assert.doesNotMatch(plan, /TEMP B-TREE|SCAN rows$|\bSort\b|Seq Scan/m)
        }
      }
    }
  })

  test(`${name}: contains finds text as it is, in any case`, async (t) => {
    const database = await open(t)
    const names = ['Web_1', 'web1', 'x\\y', '100%', null]
    await fill(
      database,
      names.map((text, i) => ({ id: String(i), name: text, size: 0, kind: null })),
    )
    const cases: [string, string[]][] = [
      ['WEB', ['0', '1']],
      ['b_', ['0']],
      ['%', ['3']],
      ['\\', ['2']],
      ['', ['0', '1', '2', '3']],
    ]
    for (const [text, ids] of cases) {
      const query = kysely(database.read).selectFrom('rows').select('id').orderBy('id')
      const found = await query.where((eb) => contains(eb, 'name', text)).execute()
      assert.deepEqual(
        found.map((row) => row.id),
        ids,
        text,
      )
    }
  })
})

/** How the engine goes about each query of a page. */
async function plansOf(database: Database, request: PageRequest<Column>): Promise<string[]> {
  const asked: CompiledQuery[] = []
  const watched = kysely(database.read).withPlugin({
    transformQuery({ node, queryId }) {
      asked.push(database.read.getExecutor().compileQuery(node, queryId))
      return node
    },
    transformResult: async ({ result }) => result,
  })
  await page(watched.selectFrom('rows').selectAll(), request)
  const explain = database.engine === 'sqlite' ? 'explain query plan' : 'explain'
  return await Promise.all(
    asked.map(async (query) => {
      const raw = CompiledQuery.raw(`${explain} ${query.sql}`, [...query.parameters])
      const { rows } = await database.read.executeQuery<Record<string, unknown>>(raw)
      return [query.sql, ...rows.map((row) => row.detail ?? row['QUERY PLAN'])].join('\n')
    }),
  )
}
