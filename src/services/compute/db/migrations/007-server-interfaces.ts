import { sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

export const serverInterfaces: Migration = {
  name: '007-server-interfaces',
  async up(db) {
    await db.schema
      .createTable('compute_interfaces')
      .addColumn('port_id', 'text', (c) => c.primaryKey())
      .addColumn('server_id', 'text', (c) => c.notNull())
      .addColumn('tag', 'text')
      .addColumn('change', 'text')
      .addColumn('generation', 'integer', (c) => c.notNull())
      .addColumn('action_id', 'text')
      .execute()
    await db.schema.createIndex('compute_interfaces_by_server').on('compute_interfaces').column('server_id').execute()
    await db.schema
      .createIndex('compute_interfaces_changing')
      .on('compute_interfaces')
      .column('server_id')
      .where(sql<boolean>`change is not null`)
      .execute()
  },
}
