import type { Migration } from '../../../../platform/db/database.ts'

/** What servers are made from and run on: flavors, key pairs, quotas, compute services. */
export const catalog: Migration = {
  name: '002-catalog',
  async up(db) {
    await db.schema
      .createTable('compute_flavors')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull().unique())
      .addColumn('vcpus', 'integer', (c) => c.notNull())
      .addColumn('memory_mib', 'integer', (c) => c.notNull())
      .addColumn('disk_gib', 'integer', (c) => c.notNull())
      .addColumn('ephemeral_gib', 'integer', (c) => c.notNull())
      .addColumn('swap_mib', 'integer', (c) => c.notNull())
      .addColumn('rxtx_factor', 'double precision', (c) => c.notNull())
      .addColumn('is_public', 'integer', (c) => c.notNull())
      .addColumn('description', 'text')
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addColumn('updated_at', 'text')
      .execute()
    await db.schema
      .createTable('compute_flavor_specs')
      .addColumn('flavor_id', 'text', (c) => c.notNull().references('compute_flavors.id').onDelete('cascade'))
      .addColumn('key', 'text', (c) => c.notNull())
      .addColumn('value', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('compute_flavor_specs_pk', ['flavor_id', 'key'])
      .execute()
    await db.schema
      .createTable('compute_flavor_access')
      .addColumn('flavor_id', 'text', (c) => c.notNull().references('compute_flavors.id').onDelete('cascade'))
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('compute_flavor_access_pk', ['flavor_id', 'project_id'])
      .execute()
    await db.schema
      .createTable('compute_keypairs')
      .addColumn('user_id', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('type', 'text', (c) => c.notNull())
      .addColumn('public_key', 'text', (c) => c.notNull())
      .addColumn('fingerprint', 'text', (c) => c.notNull())
      .addColumn('number', 'integer', (c) => c.notNull())
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('compute_keypairs_pk', ['user_id', 'name'])
      .execute()
    await db.schema
      .createTable('compute_services')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('number', 'integer', (c) => c.notNull().unique())
      .addColumn('host', 'text', (c) => c.notNull().unique())
      .addColumn('hypervisor_id', 'text', (c) => c.notNull().unique())
      .addColumn('disabled', 'integer', (c) => c.notNull())
      .addColumn('disabled_reason', 'text')
      .addColumn('forced_down', 'integer', (c) => c.notNull())
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addColumn('updated_at', 'text', (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('compute_quotas')
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addColumn('resource', 'text', (c) => c.notNull())
      .addColumn('hard_limit', 'integer', (c) => c.notNull())
      .addPrimaryKeyConstraint('compute_quotas_pk', ['project_id', 'resource'])
      .execute()
  },
}
