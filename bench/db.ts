/**
 * `node bench/db.ts [directory]`: acknowledged writes and reads per second on SQLite, beside the same writes without
 * group commit (`synchronous=FULL` on the event loop), and a page of 100 at 1,000 and at 1,000,000 rows.
 * Numbers of one run on one disk: read the ratios.
 */
import { type FileHandle, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { page } from '../src/platform/db/paging.ts'
import { openSqlite } from '../src/platform/db/sqlite.ts'

interface Tables {
  rows: { id: number; created_at: string; text: string }
}
const measureMs = 2000
const text = 'x'.repeat(300)
const createTable = 'create table rows (id integer primary key, created_at text not null, text text not null)'

const directory = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'berth-bench-'))
const database = await openSqlite(join(directory, 'bench.sqlite'))
const read = database.read as unknown as Kysely<Tables>
try {
  await database.write(async (trx) => {
    await sql.raw(createTable).execute(trx)
    await sql`create index rows_created on rows (created_at, id)`.execute(trx)
  })
  await writes()
  await slowDisk()
  await reads()
  await pages()
} finally {
  await database.close()
  await rm(directory, { recursive: true })
}

async function writes(): Promise<void> {
  const plain = new DatabaseSync(join(directory, 'plain.sqlite'))
  plain.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${createTable}`)
  const insert = plain.prepare('insert into rows values (?, ?, ?)')
  let id = 0
  const baseline = await rate(1, async () => void insert.run(++id, stamp(id), text))
  plain.close()
  console.log(`writes, each synced on the event loop:   ${perSecond(baseline)}`)
  for (const lanes of [1, 8, 64]) {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const result = await rate(lanes, () => database.write((trx) => insertOne(trx as unknown as Kysely<Tables>, ++id)))
    delay.disable()
    const longest = `longest stall of the event loop ${(delay.max / 1e6).toFixed(1)} ms`
    console.log(`writes, ${String(lanes).padStart(2)} at a time, group commit:    ${perSecond(result)}; ${longest}`)
  }
}

async function insertOne(db: Kysely<Tables>, id: number): Promise<void> {
  await db
    .insertInto('rows')
    .values({ id, created_at: stamp(id), text })
    .execute()
}

/** What an ordinary disk makes of it: 5 ms more for each sync, so that one at a time could not pass 200/s. */
async function slowDisk(): Promise<void> {
  const sync = (file: FileHandle) => file.datasync().then(() => sleep(5))
  const slow = await openSqlite(join(directory, 'slow.sqlite'), { sync })
  await slow.write((trx) => sql.raw(createTable).execute(trx))
  let id = 0
  for (const lanes of [1, 64]) {
    const result = await rate(lanes, () => slow.write((trx) => insertOne(trx as unknown as Kysely<Tables>, ++id)))
    console.log(`writes, ${String(lanes).padStart(2)} at a time, a sync of 5 ms:   ${perSecond(result)}`)
  }
  await slow.close()
}

async function reads(): Promise<void> {
  let id = 0
  const one = () => read.selectFrom('rows').selectAll().where('id', '=', ++id).execute()
  console.log(`reads of one row through Kysely:         ${perSecond(await rate(1, one))}`)
}

async function pages(): Promise<void> {
  for (const size of [1000, 1_000_000]) {
    await database.write(async (trx) => {
      await sql`delete from rows`.execute(trx)
      await sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${size})
        insert into rows select i, printf('2026-01-01T%06d', i / 3), 'text' from n`.execute(trx)
    })
    const markerRow = await read
      .selectFrom('rows')
      .selectAll()
      .where('id', '=', size / 2)
      .executeTakeFirstOrThrow()
    const query = read.selectFrom('rows').selectAll()
    const sortKeys = [{ column: 'created_at', direction: 'asc' }] as const
    const result = await rate(1, () => page(query, { sortKeys, markerRow, limit: 100 }))
    console.log(`page of 100 from the middle of ${String(size).padStart(7)}:  ${perSecond(result)}`)
  }
}

interface Result {
  count: number
  ms: number
}

async function rate(lanes: number, work: () => Promise<unknown>): Promise<Result> {
  const start = performance.now()
  let count = 0
  const lane = async () => {
    while (performance.now() - start < measureMs) {
      await work()
      // A request comes from the network, so each begins in a turn of its own.
      if (++count % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return { count, ms: performance.now() - start }
}

function perSecond({ count, ms }: Result): string {
  return `${Math.round((count / ms) * 1000)
    .toLocaleString('en-US')
    .padStart(9)}/s`
}

function stamp(id: number): string {
  return `2026-01-01T${String(id).padStart(9, '0')}`
}
