import type { Migration } from '../../../../platform/db/database.ts'

export const trusts: Migration = {
  name: '0006-trusts',
  async up(db) {
    await db.schema
      .createTable('identity_trusts')
      .addColumn('id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('trustor_user_id', 'text', (c) => c.notNull())
      .addColumn('trustee_user_id', 'text', (c) => c.notNull())
      .addColumn('project_id', 'text')
      .addColumn('impersonation', 'integer', (c) => c.notNull())
      .addColumn('roles', 'text', (c) => c.notNull())
      .addColumn('expires_at', 'text')
      .addColumn('remaining_uses', 'integer')
      .addColumn('redelegation_count', 'integer', (c) => c.notNull())
      .addColumn('redelegated_trust_id', 'text')
      .execute()
    for (const column of ['trustor_user_id', 'trustee_user_id', 'project_id', 'redelegated_trust_id'])
      await db.schema
        .createIndex(`identity_trusts_by_${column}`)
        .on('identity_trusts')
        .columns([column, 'id'])
        .execute()
  },
}
