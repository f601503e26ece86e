import type { Migration } from '../../../../platform/db/database.ts'

/** Why servers are where they are, and how often hosts failed them. */
export const scheduler: Migration = {
  name: '010-scheduler',
  async up(db) {
    await db.schema
      .createTable('compute_decisions')
      .addColumn('server_id', 'text', (c) => c.primaryKey())
      .addColumn('decision', 'text', (c) => c.notNull())
      .execute()
    await db.schema
      .alterTable('compute_services')
      .addColumn('failed_builds', 'integer', (c) => c.notNull().defaultTo(0))
      .execute()
  },
}
