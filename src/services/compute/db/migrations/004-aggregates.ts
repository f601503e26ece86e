import type { Migration } from '../../../../platform/db/database.ts'

export const aggregates: Migration = {
  name: '004-aggregates',
  async up(db) {
    await db.schema
      .createTable('compute_aggregates')
      .addColumn('id', 'integer', (c) => c.primaryKey())
      .addColumn('uuid', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('metadata', 'text', (c) => c.notNull())
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addColumn('updated_at', 'text')
      // Kept, so that no number is given twice.
      .addColumn('deleted', 'integer', (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('compute_aggregate_hosts')
      .addColumn('aggregate_id', 'integer', (c) => c.notNull())
      .addColumn('host', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('compute_aggregate_hosts_key', ['aggregate_id', 'host'])
      .execute()
  },
}
