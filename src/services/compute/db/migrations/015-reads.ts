import { sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

/** Filters that find few servers, or none, walk an index of their own: a page of them costs the same among a million. */
export const reads: Migration = {
  name: '015-reads',
  async up(db) {
    const create = (name: string, columns: string[]) =>
      db.schema.createIndex(`compute_servers_${name}`).on('compute_servers').columns(columns)
    await create('state', ['project_id', 'deleted', 'vm_state', 'created_at', 'id']).execute()
    await create('state_all', ['deleted', 'vm_state', 'created_at', 'id']).execute()
    await create('name', ['project_id', 'deleted', 'name', 'created_at', 'id']).execute()
    await create('changed_of', ['project_id', 'updated_at']).execute()
    await db.schema.dropIndex('compute_servers_by_host').execute()
    await create('by_host', ['host', 'deleted', 'created_at', 'id']).where(sql<boolean>`host is not null`).execute()
  },
}
