import type { Migration } from '../../../../platform/db/database.ts'

/** What a server is told about itself that stands in no other table. */
export const guestData: Migration = {
  name: '009-guest-data',
  async up(db) {
    await db.schema
      .createTable('compute_guest_data')
      .addColumn('server_id', 'text', (c) => c.primaryKey())
      .addColumn('key', 'text')
      .addColumn('files', 'text', (c) => c.notNull())
      .addColumn('password', 'text')
      .execute()
  },
}
