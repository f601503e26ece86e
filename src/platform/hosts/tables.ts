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

/** Words that let a host in; a hash of each. */
export interface HostTokensTable {
  token_hash: string
  host: string
  expires_at_ms: number
}

export interface HostMembersTable {
  host: string
  joined_at: string
}

declare module '../db/database.ts' {
  interface Tables {
    hosts: HostsTable
    host_tokens: HostTokensTable
    host_members: HostMembersTable
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
  {
    name: '002-members',
    async up(db) {
      await db.schema
        .createTable('host_tokens')
        .addColumn('token_hash', 'text', (c) => c.primaryKey())
        .addColumn('host', 'text', (c) => c.notNull())
        .addColumn('expires_at_ms', 'bigint', (c) => c.notNull())
        .execute()
      await db.schema
        .createTable('host_members')
        .addColumn('host', 'text', (c) => c.primaryKey())
        .addColumn('joined_at', 'text', (c) => c.notNull())
        .execute()
    },
  },
]
