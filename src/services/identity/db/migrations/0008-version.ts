import { PostgresAdapter, sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

const tables = [
  ...['projects', 'users', 'memberships', 'roles', 'implied_roles', 'assignments'],
  ...['services', 'endpoints', 'endpoint_groups', 'project_endpoints', 'project_endpoint_groups'],
]

/**
 * A number that changes with everything a token is made from, in the same transaction. Only on SQLite: there it is read
 * when anything was committed at all, and on PostgreSQL all writers would meet on the one row.
 */
export const version: Migration = {
  name: '0008-version',
  async up(db) {
    if (db.getExecutor().adapter instanceof PostgresAdapter) return
    await sql`create table identity_version (version integer not null)`.execute(db)
    await sql`insert into identity_version values (1)`.execute(db)
    for (const table of tables) {
      for (const event of ['insert', 'update', 'delete']) {
        const name = `identity_version_${table}_${event}`
        await sql
          .raw(`create trigger ${name} after ${event} on identity_${table}
            begin update identity_version set version = version + 1; end`)
          .execute(db)
      }
    }
  },
}
