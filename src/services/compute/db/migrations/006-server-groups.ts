import type { Migration } from '../../../../platform/db/database.ts'

export const serverGroups: Migration = {
  name: '006-server-groups',
  async up(db) {
    await db.schema
      .createTable('compute_server_groups')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addColumn('user_id', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('policy', 'text', (c) => c.notNull())
      .addColumn('rules', 'text', (c) => c.notNull())
      .addColumn('created_at', 'text', (c) => c.notNull())
      .execute()
    await db.schema
      .createIndex('compute_server_groups_by_project')
      .on('compute_server_groups')
      .columns(['project_id', 'created_at', 'id'])
      .execute()
    await db.schema
      .createTable('compute_server_group_members')
      .addColumn('server_id', 'text', (c) => c.primaryKey())
      .addColumn('group_id', 'text', (c) => c.notNull())
      .execute()
    await db.schema
      .createIndex('compute_server_group_members_by_group')
      .on('compute_server_group_members')
      .column('group_id')
      .execute()
  },
}
