import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { openTestPostgres, openTestSqlite, temporaryDirectory } from '../../../test/support/databases.ts'
import type { Database, Db } from './database.ts'
import { createKept } from './kept.ts'
import { openSqlite } from './sqlite.ts'

const statements = [
  'create table rests_on (value integer)',
  'insert into rests_on values (1)',
  'create table other (value integer)',
  'create table version (version integer)',
  'insert into version values (1)',
  'create trigger bump after update on rests_on begin update version set version = version + 1; end',
]
const run = (database: Database, text: string) => database.write((trx) => sql.raw(text).execute(trx))
const readValue = async (db: Db) =>
  Number((await sql<{ value: number }>`select value from rests_on`.execute(db)).rows[0]?.value)
const version = async (db: Db) =>
  Number((await sql<{ version: number }>`select version from version`.execute(db)).rows[0]?.version)

test('an answer is kept until what it rests on changes, in this process or another', async (t) => {
  const path = `${await temporaryDirectory(t)}/kept.sqlite`
  const [one, other] = [await openSqlite(path), await openSqlite(path)]
  t.after(() => Promise.all([one.close(), other.close()]))
  for (const statement of statements) await run(one, statement)
  const kept = createKept(one, version)
  let loads = 0
  const ask = () =>
    kept.get('value', (db) => {
      loads++
      return readValue(db)
    })
  assert.deepEqual([await ask(), await ask(), loads], [1, 1, 1])
  for (const [i, database] of [one, other].entries()) {
    await run(database, 'insert into other values (1)')
    assert.deepEqual([await ask(), loads], [1 + i * 10, 1 + i])
    await run(database, 'update rests_on set value = value + 10')
    assert.deepEqual([await ask(), await ask(), loads], [11 + i * 10, 11 + i * 10, 2 + i])
  }
})

test('what was loaded across a change is not kept, nor what failed, nor the oldest of too many', async (t) => {
  const database = await openTestSqlite(t)
  for (const statement of statements) await run(database, statement)
  const kept = createKept(database, version, 2)
  const stale = await kept.get('value', async (db) => {
    const before = await readValue(db)
    await run(database, 'update rests_on set value = 2')
    return before
  })
  assert.deepEqual([stale, await kept.get('value', readValue)], [1, 2])
  await assert.rejects(
    kept.get('fails', () => Promise.reject(new Error('no'))),
    /no/,
  )
  assert.equal(await kept.get('fails', async () => 'yes'), 'yes')
  await kept.get('third', async () => 3)
  assert.equal(await kept.get('value', async () => 'again'), 'again')
})

test('postgres cannot say cheaply that nothing was committed: nothing is kept', async (t) => {
  const database = await openTestPostgres(t)
  assert.equal(database.commits(), null)
  const kept = createKept(database, () => assert.fail('not asked'))
  let loads = 0
  for (let i = 0; i < 2; i++) await kept.get('value', async () => loads++)
  assert.equal(loads, 2)
})
