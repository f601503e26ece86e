import { sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

export const rescueAndMoves: Migration = {
  name: '011-rescue-and-moves',
  async up(db) {
    const servers = () => db.schema.alterTable('compute_servers')
    await servers().addColumn('rescue', 'text').execute()
    await servers().addColumn('reclaim_at_ms', 'bigint').execute()
    await db.schema
      .createIndex('compute_servers_reclaimed')
      .on('compute_servers')
      .column('reclaim_at_ms')
      .where(sql<boolean>`reclaim_at_ms is not null and deleted = 0`)
      .execute()
    const migrations = () => db.schema.alterTable('compute_migrations')
    await migrations()
      .addColumn('type', 'text', (c) => c.notNull().defaultTo('resize'))
      .execute()
    await migrations().addColumn('dest_host', 'text').execute()
    await migrations().addColumn('image_id', 'text').execute()
    await migrations().addColumn('before', 'text').execute()
    await db.schema
      .createIndex('compute_migrations_open')
      .on('compute_migrations')
      .column('host')
      .where(sql<boolean>`status in ('migrating', 'finished')`)
      .execute()
  },
}
