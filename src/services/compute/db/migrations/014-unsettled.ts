import { sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

/**
 * What the loop asks of servers under way stands in the index itself. `deleted` comes first, or SQLite prefers an index
 * of all servers that begins with it, and reads them all.
 */
export const unsettled: Migration = {
  name: '014-unsettled',
  async up(db) {
    await db.schema.dropIndex('compute_servers_unsettled').execute()
    await db.schema
      .createIndex('compute_servers_unsettled')
      .on('compute_servers')
      .columns(['deleted', 'updated_at', 'host', 'generation', 'seen_generation', 'tries', 'retry_at_ms', 'id'])
      .where(sql<boolean>`seen_generation < generation and deleted = 0`)
      .execute()
  },
}
