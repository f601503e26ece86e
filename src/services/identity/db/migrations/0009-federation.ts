import { PostgresAdapter, sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

/** Identity providers, what they say and whom they brought; service providers. */
export const federation: Migration = {
  name: '0009-federation',
  async up(db) {
    await db.schema
      .createTable('identity_identity_providers')
      .addColumn('id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('domain_id', 'text', (c) => c.notNull().references('identity_projects.id').onDelete('cascade'))
      .addColumn('enabled', 'integer', (c) => c.notNull())
      .addColumn('description', 'text')
      .addColumn('authorization_ttl', 'integer')
      .execute()
    await db.schema
      .createTable('identity_remote_ids')
      .addColumn('remote_id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('idp_id', 'text', (c) => c.notNull().references('identity_identity_providers.id').onDelete('cascade'))
      .execute()
    await db.schema
      .createTable('identity_mappings')
      .addColumn('id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('rules', 'text', (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('identity_federation_protocols')
      .addColumn('idp_id', 'text', (c) => c.notNull().references('identity_identity_providers.id').onDelete('cascade'))
      .addColumn('id', 'text', (c) => c.notNull())
      .addColumn('mapping_id', 'text', (c) => c.notNull())
      .addColumn('remote_id_attribute', 'text')
      .addPrimaryKeyConstraint('identity_federation_protocols_pk', ['idp_id', 'id'])
      .execute()
    await db.schema
      .createTable('identity_federated_users')
      .addColumn('idp_id', 'text', (c) => c.notNull().references('identity_identity_providers.id').onDelete('cascade'))
      .addColumn('protocol_id', 'text', (c) => c.notNull())
      .addColumn('unique_id', 'text', (c) => c.notNull())
      .addColumn('user_id', 'text', (c) => c.notNull().references('identity_users.id').onDelete('cascade'))
      .addPrimaryKeyConstraint('identity_federated_users_pk', ['idp_id', 'protocol_id', 'unique_id'])
      .execute()
    await db.schema
      .createTable('identity_expiring_memberships')
      .addColumn('group_id', 'text', (c) => c.notNull().references('identity_groups.id').onDelete('cascade'))
      .addColumn('user_id', 'text', (c) => c.notNull().references('identity_users.id').onDelete('cascade'))
      .addColumn('expires_at_ms', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('identity_expiring_memberships_pk', ['group_id', 'user_id'])
      .execute()
    await db.schema
      .createTable('identity_service_providers')
      .addColumn('id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('auth_url', 'text', (c) => c.notNull())
      .addColumn('sp_url', 'text', (c) => c.notNull())
      .addColumn('description', 'text')
      .addColumn('enabled', 'integer', (c) => c.notNull())
      .addColumn('relay_state_prefix', 'text', (c) => c.notNull())
      .execute()
    for (const [table, column] of [
      ['identity_identity_providers', 'domain_id'],
      ['identity_remote_ids', 'idp_id'],
      ['identity_federated_users', 'user_id'],
      ['identity_expiring_memberships', 'expires_at_ms'],
      ['identity_expiring_memberships', 'user_id'],
    ] as const)
      await db.schema.createIndex(`${table}_${column}`).on(table).column(column).execute()
    if (db.getExecutor().adapter instanceof PostgresAdapter) return
    // Tokens tell of service providers, see 0008-version.
    for (const event of ['insert', 'update', 'delete'])
      await sql
        .raw(`create trigger identity_version_service_providers_${event} after ${event} on identity_service_providers
          begin update identity_version set version = version + 1; end`)
        .execute(db)
  },
}
