import { type Kysely, sql } from 'kysely'
import type { Database, Migration } from './database.ts'

export interface ServiceMigrations {
  readonly service: string
  readonly migrations: readonly Migration[]
}

/** Any number, the same in every Berth: who creates the table of migrations holds it. */
const createLock = 0x62657274

interface Applied {
  schema_migrations: { service: string; name: string; applied_at: string }
}

/**
 * Brings the database up to this version of the program: each migration once, in its list's order, each in its own
 * transaction. May run in several processes at once: they take turns, and the later one finds the work done.
 * @throws Error when the database knows a migration that this program does not: it belongs to a newer version.
 */
export async function migrate(database: Database, services: readonly ServiceMigrations[]): Promise<void> {
  await database.write(async (trx) => {
    if (database.engine === 'postgres') await sql`select pg_advisory_xact_lock(${createLock})`.execute(trx)
    await trx.schema
      .createTable('schema_migrations')
      .ifNotExists()
      .addColumn('service', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('applied_at', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('schema_migrations_pk', ['service', 'name'])
      .execute()
  })
  for (const { service, migrations } of services) {
    const applied = await namesApplied(database.read as unknown as Kysely<Applied>, service)
    const known = new Set(migrations.map((m) => m.name))
    const unknown = [...applied].filter((name) => !known.has(name))
    if (unknown.length > 0) {
      throw new Error(`The database is from a newer version: ${service} has ${unknown.join(', ')}; update the program`)
    }
    for (const migration of migrations) if (!applied.has(migration.name)) await apply(database, service, migration)
  }
}

async function apply(database: Database, service: string, migration: Migration): Promise<void> {
  await database.write(async (trx) => {
    const db = trx as unknown as Kysely<Applied>
    // SQLite's write lock is the turn itself. Not an advisory lock here: taking one would also take the snapshot, and
    // after the wait that would show the state from before the other process's work.
    if (database.engine === 'postgres') await sql`lock table schema_migrations in exclusive mode`.execute(trx)
    if ((await namesApplied(db, service)).has(migration.name)) return
    await migration.up(trx as unknown as Kysely<unknown>)
    const row = { service, name: migration.name, applied_at: new Date().toISOString() }
    await db.insertInto('schema_migrations').values(row).execute()
  })
}

async function namesApplied(db: Kysely<Applied>, service: string): Promise<Set<string>> {
  const rows = await db.selectFrom('schema_migrations').select('name').where('service', '=', service).execute()
  return new Set(rows.map((row) => row.name))
}
