import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, type FileHandle, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { temporaryDirectory } from '../../../test/support/databases.ts'
import type { Database } from './database.ts'
import { openSqlite, type SqliteOptions } from './sqlite.ts'

async function open(t: TestContext, options: SqliteOptions = {}): Promise<{ database: Database; path: string }> {
  const path = join(await temporaryDirectory(t), 'test.sqlite')
  const database = await openSqlite(path, options)
  t.after(() => database.close())
  await database.write((trx) => sql`create table things (id integer primary key)`.execute(trx))
  return { database, path }
}
const insert = (database: Database, id: number) =>
  database.write((trx) => sql`insert into things values (${id})`.execute(trx))
const ids = async (database: Database) =>
  (await sql<{ id: number }>`select id from things order by id`.execute(database.read)).rows.map((row) => row.id)

test('a write is answered after its sync, and later writes share the next one', async (t) => {
  const syncs: (() => void)[] = []
  let hold = false
  const sync = () => (hold ? new Promise<void>((resolve) => syncs.push(resolve)) : Promise.resolve())
  const { database } = await open(t, { sync })
  hold = true
  const answered: number[] = []
  const write = (id: number) => insert(database, id).then(() => answered.push(id))
  const first = write(1)
  while (syncs.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const others = [write(2), write(3), insert(database, 1).catch(() => answered.push(-1))]
  while ((await ids(database)).length < 3) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([answered, syncs.length], [[], 1], 'committed, but not yet durable')
  syncs[0]!()
  await first
  while (syncs.length === 1) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(answered, [1])
  hold = false
  syncs[1]!()
  await Promise.all(others)
  assert.deepEqual(answered.sort(), [-1, 1, 2, 3])
  assert.equal(syncs.length, 2)
})

test('after a failed sync nothing is acknowledged any more', async (t) => {
  let broken = false
  const sync = () => (broken ? Promise.reject(new Error('EIO')) : Promise.resolve())
  const { database } = await open(t, { sync })
  broken = true
  await assert.rejects(insert(database, 1), { kind: 'unavailable' })
  broken = false
  await assert.rejects(insert(database, 2), { kind: 'unavailable' })
})

test('kill -9 in a loop of writes loses nothing that was acknowledged', async (t) => {
  const { database, path } = await open(t)
  const program = `
    import { openSqlite } from ${JSON.stringify(new URL('./sqlite.ts', import.meta.url).href)}
    import { sql } from 'kysely'
    const database = await openSqlite(${JSON.stringify(path)})
    let id = 0
    const lane = async () => {
      for (;;) {
        const mine = ++id
        await database.write((trx) => sql\`insert into things values (\${mine})\`.execute(trx))
        process.stdout.write(mine + '\\n')
      }
    }
    await Promise.all([lane(), lane(), lane(), lane()])`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const acknowledged: number[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(Number(line))
    if (acknowledged.length === 500) child.kill('SIGKILL')
  }
  const kept = new Set(await ids(database))
  assert.deepEqual(
    acknowledged.filter((id) => !kept.has(id)),
    [],
  )
  assert.ok(acknowledged.length >= 500)
  await insert(database, 1_000_000) // The dead process holds no lock.
})

test('what the disk holds after the last sync has every acknowledged write', async (t) => {
  let synced = 0
  let hold = false
  const sync = async (file: FileHandle) => {
    if (hold) return await new Promise<void>(() => {})
    const { size } = await file.stat()
    await file.datasync()
    synced = size
  }
  const { path } = await open(t)
  const victim = await openSqlite(path, { sync })
  const acknowledged = Array.from({ length: 200 }, (_, i) => i)
  await Promise.all(acknowledged.map((id) => insert(victim, id)))
  hold = true
  let answered = false
  void insert(victim, 1000).then(() => {
    answered = true
  })
  while ((await ids(victim)).length === 200) await new Promise((resolve) => setImmediate(resolve))
  // Power fails: the log ends where the last sync left it.
  const crashed = join(await temporaryDirectory(t), 'crashed.sqlite')
  await copyFile(path, crashed)
  await writeFile(`${crashed}-wal`, (await readFile(`${path}-wal`)).subarray(0, synced))
  const survivor = await openSqlite(crashed)
  t.after(() => survivor.close())
  assert.deepEqual(await ids(survivor), acknowledged)
  assert.equal(answered, false)
})

test('another process with the lock delays a write without stopping this one', async (t) => {
  const { database, path } = await open(t)
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  const write = insert(database, 1)
  // Reads and the event loop go on meanwhile.
  assert.deepEqual(await ids(database), [])
  await once(AbortSignal.timeout(20), 'abort')
  other.exec('COMMIT')
  other.close()
  await write
  assert.deepEqual(await ids(database), [1])
})

test('when the batch is lost as a whole, each job gets its own try', async (t) => {
  const { database } = await open(t)
  await database.write((trx) =>
    sql`create table notes (thing integer references things deferrable initially deferred)`.execute(trx),
  )
  // A deferred constraint speaks up at COMMIT, when nobody knows whose it was.
  const orphan = database.write((trx) => sql`insert into notes values (99)`.execute(trx))
  const settled = await Promise.allSettled([insert(database, 1), orphan, insert(database, 2)])
  assert.deepEqual(
    settled.map((s) => s.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(await ids(database), [1, 2])
})

test('the files are for our eyes only', async (t) => {
  const { path } = await open(t)
  for (const suffix of ['', '-wal', '-shm']) assert.equal((await stat(path + suffix)).mode & 0o777, 0o600, suffix)
})

test('the reader refuses to write and to open a transaction', async (t) => {
  const { database } = await open(t)
  await assert.rejects(sql`insert into things values (1)`.execute(database.read), /readonly/)
  await assert.rejects(
    database.read.transaction().execute(async () => {}),
    /Database.write/,
  )
})

test('a kept `select *` sees a column that came later', async (t) => {
  const { database } = await open(t)
  await insert(database, 1)
  const all = () => sql`select * from things`.execute(database.read)
  assert.deepEqual((await all()).rows, [{ id: 1 }])
  await database.write((trx) => sql`alter table things add column name text`.execute(trx))
  assert.deepEqual((await all()).rows, [{ id: 1, name: null }])
})

test('a closed database refuses writes by name, and finishes those it took', async (t) => {
  const { database } = await open(t)
  const taken = insert(database, 1)
  await database.close()
  await taken
  await assert.rejects(insert(database, 2), { kind: 'unavailable' })
})
