import type { Migration } from '../../../../platform/db/database.ts'

export const oauth: Migration = {
  name: '0005-oauth',
  async up(db) {
    await db.schema
      .createTable('identity_consumers')
      .addColumn('id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('secret', 'text', (c) => c.notNull())
      .addColumn('description', 'text')
      .addColumn('extra', 'text', (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('identity_request_tokens')
      .addColumn('id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('secret', 'text', (c) => c.notNull())
      .addColumn('consumer_id', 'text', (c) => c.notNull().references('identity_consumers.id').onDelete('cascade'))
      .addColumn('project_id', 'text', (c) => c.notNull().references('identity_projects.id').onDelete('cascade'))
      .addColumn('user_id', 'text', (c) => c.references('identity_users.id').onDelete('cascade'))
      .addColumn('verifier', 'text')
      .addColumn('role_ids', 'text')
      .addColumn('expires_at_ms', 'bigint', (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('identity_access_tokens')
      .addColumn('id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('secret', 'text', (c) => c.notNull())
      .addColumn('consumer_id', 'text', (c) => c.notNull().references('identity_consumers.id').onDelete('cascade'))
      .addColumn('project_id', 'text', (c) => c.notNull().references('identity_projects.id').onDelete('cascade'))
      .addColumn('user_id', 'text', (c) => c.notNull().references('identity_users.id').onDelete('cascade'))
      .addColumn('role_ids', 'text', (c) => c.notNull())
      .addColumn('expires_at_ms', 'bigint', (c) => c.notNull())
      .execute()
    for (const table of ['identity_request_tokens', 'identity_access_tokens'])
      for (const column of ['consumer_id', 'project_id', 'user_id', 'expires_at_ms'])
        await db.schema.createIndex(`${table}_by_${column}`).on(table).column(column).execute()
  },
}
