import type { Migration } from '../../../../platform/db/database.ts'

/** What the rules for passwords remember. */
export const passwords: Migration = {
  name: '0007-passwords',
  async up(db) {
    await db.schema
      .createTable('identity_former_passwords')
      .addColumn('user_id', 'text', (c) => c.notNull().references('identity_users.id').onDelete('cascade'))
      .addColumn('password_hash', 'text', (c) => c.notNull())
      .addColumn('replaced_at_ms', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('identity_former_passwords_pk', ['user_id', 'password_hash'])
      .execute()
    await db.schema
      .createTable('identity_failed_log_ins')
      .addColumn('user_id', 'text', (c) => c.primaryKey().notNull().references('identity_users.id').onDelete('cascade'))
      .addColumn('failures', 'integer', (c) => c.notNull())
      .addColumn('last_at_ms', 'bigint', (c) => c.notNull())
      .execute()
  },
}
