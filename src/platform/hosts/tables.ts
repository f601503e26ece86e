import type { Migration } from '../db/database.ts'
import type { Heartbeat } from './messages.ts'

export interface HostsTable {
  name: string
  role: Heartbeat['role']
  started_at: string
  seen_at: string
  /** JSON. */
  facts: string
}

declare module '../db/database.ts' {
  interface Tables {
    hosts: HostsTable
  }
}

export const hostMigrations: readonly Migration[] = [
  {
    name: '001-hosts',
    async up(db) {
      await db.schema
        .createTable('hosts')
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('role', 'text', (c) => c.notNull())
        .addColumn('started_at', 'text', (c) => c.notNull())
        .addColumn('seen_at', 'text', (c) => c.notNull())
        .addColumn('facts', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('hosts_pk', ['name', 'role'])
        .execute()
    },
  },
]
