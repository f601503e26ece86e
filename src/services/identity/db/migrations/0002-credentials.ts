import type { Migration } from '../../../../platform/db/database.ts'

export const credentials: Migration = {
  name: '0002-credentials',
  async up(db) {
    await db.schema
      .createTable('identity_credentials')
      .addColumn('id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('user_id', 'text', (c) => c.notNull())
      .addColumn('project_id', 'text')
      .addColumn('type', 'text', (c) => c.notNull())
      .addColumn('blob', 'text', (c) => c.notNull())
      .addColumn('access_hash', 'text', (c) => c.unique())
      .addColumn('extra', 'text', (c) => c.notNull())
      .execute()
    for (const column of ['user_id', 'project_id'])
      await db.schema
        .createIndex(`identity_credentials_by_${column}`)
        .on('identity_credentials')
        .columns([column, 'id'])
        .execute()
  },
}
