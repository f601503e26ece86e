import type { Migration } from '../../../../platform/db/database.ts'

export const claims: Migration = {
  name: '001-claims',
  async up(db) {
    await db.schema
      .createTable('placement_providers')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull().unique())
      .addColumn('generation', 'integer', (c) => c.notNull())
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addColumn('updated_at', 'text', (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('placement_inventories')
      .addColumn('provider_id', 'text', (c) => c.notNull().references('placement_providers.id'))
      .addColumn('resource_class', 'text', (c) => c.notNull())
      .addColumn('total', 'integer', (c) => c.notNull())
      .addColumn('reserved', 'integer', (c) => c.notNull())
      .addColumn('allocation_ratio', 'double precision', (c) => c.notNull())
      .addColumn('used', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('placement_inventories_pk', ['provider_id', 'resource_class'])
      .execute()
    await db.schema
      .createTable('placement_allocations')
      .addColumn('consumer_id', 'text', (c) => c.notNull())
      .addColumn('provider_id', 'text', (c) => c.notNull().references('placement_providers.id'))
      .addColumn('resource_class', 'text', (c) => c.notNull())
      .addColumn('used', 'integer', (c) => c.notNull())
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addColumn('user_id', 'text', (c) => c.notNull())
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('placement_allocations_pk', ['consumer_id', 'provider_id', 'resource_class'])
      .execute()
    await db.schema
      .createIndex('placement_allocations_by_provider')
      .on('placement_allocations')
      .column('provider_id')
      .execute()
  },
}
