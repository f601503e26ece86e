import type { Migration } from '../../../../platform/db/database.ts'

export const consoleTokens: Migration = {
  name: '012-console-tokens',
  async up(db) {
    await db.schema
      .createTable('compute_console_tokens')
      .addColumn('hash', 'text', (c) => c.primaryKey())
      .addColumn('server_id', 'text', (c) => c.notNull())
      .addColumn('console_type', 'text', (c) => c.notNull())
      .addColumn('expires_at_ms', 'bigint', (c) => c.notNull())
      .execute()
    await db.schema
      .createIndex('compute_console_tokens_by_expiry')
      .on('compute_console_tokens')
      .column('expires_at_ms')
      .execute()
  },
}
