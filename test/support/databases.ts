import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Database } from '../../src/platform/db/database.ts'
import { openPostgres } from '../../src/platform/db/postgres.ts'
import { openSqlite } from '../../src/platform/db/sqlite.ts'
import { newLogger } from '../../src/platform/log.ts'
import { startPostgres } from './postgres.ts'

export type Engine = Database['engine']

/** Opens an empty database that goes with the test. */
export type Open = (t: TestContext) => Promise<Database>

/** Registers the same tests for both engines; put `name` into their titles. */
export function eachDatabase(register: (name: Engine, open: Open) => void): void {
  register('sqlite', openTestSqlite)
  register('postgres', openTestPostgres)
}

export async function openTestSqlite(t: TestContext): Promise<Database> {
  return closing(t, await openSqlite(join(await temporaryDirectory(t), 'test.sqlite')))
}

export async function openTestPostgres(t: TestContext): Promise<Database> {
  const url = await startPostgres(t)
  return closing(t, await openPostgres(url, newLogger('silent')))
}

/** A directory that goes with the test. */
export async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-test-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

function closing(t: TestContext, database: Database): Database {
  t.after(() => database.close())
  return database
}
