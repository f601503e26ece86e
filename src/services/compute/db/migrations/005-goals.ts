import type { Migration } from '../../../../platform/db/database.ts'

export const goals: Migration = {
  name: '005-goals',
  async up(db) {
    const servers = () => db.schema.alterTable('compute_servers')
    await servers().addColumn('goal', 'text').execute()
    await servers()
      .addColumn('build_epoch', 'integer', (c) => c.notNull().defaultTo(0))
      .execute()
    await servers().addColumn('old_flavor', 'text').execute()
    await servers().addColumn('shelved_image_id', 'text').execute()
    const snapshots = () => db.schema.alterTable('compute_snapshots')
    await snapshots().addColumn('backup_type', 'text').execute()
    await snapshots().addColumn('rotation', 'integer').execute()
    await db.schema
      .createTable('compute_migrations')
      .addColumn('id', 'integer', (c) => c.primaryKey())
      .addColumn('uuid', 'text', (c) => c.notNull())
      .addColumn('server_id', 'text', (c) => c.notNull())
      .addColumn('host', 'text', (c) => c.notNull())
      .addColumn('status', 'text', (c) => c.notNull())
      .addColumn('old_flavor_number', 'integer', (c) => c.notNull())
      .addColumn('new_flavor_number', 'integer', (c) => c.notNull())
      .addColumn('user_id', 'text', (c) => c.notNull())
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addColumn('updated_at', 'text', (c) => c.notNull())
      .execute()
    await db.schema
      .createIndex('compute_migrations_by_server')
      .on('compute_migrations')
      .columns(['server_id', 'id'])
      .execute()
  },
}
