import type { Kysely } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

/** Policies, endpoint filters, domain configuration and unified limits. */
export const extensions: Migration = {
  name: '0003-extensions',
  async up(db) {
    await policies(db)
    await endpointFilters(db)
    await limits(db)
    await db.schema
      .createTable('identity_domain_options')
      .addColumn('domain_id', 'text', (c) => c.notNull().references('identity_projects.id').onDelete('cascade'))
      .addColumn('group_name', 'text', (c) => c.notNull())
      .addColumn('option_name', 'text', (c) => c.notNull())
      .addColumn('value', 'text', (c) => c.notNull())
      .addColumn('sensitive', 'integer', (c) => c.notNull())
      .addPrimaryKeyConstraint('identity_domain_options_pk', ['domain_id', 'group_name', 'option_name'])
      .execute()
  },
}

async function policies(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('identity_policies')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('blob', 'text', (c) => c.notNull())
    .addColumn('extra', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('identity_policy_associations')
    .addColumn('place', 'text', (c) => c.primaryKey().notNull())
    .addColumn('policy_id', 'text', (c) => c.notNull().references('identity_policies.id').onDelete('cascade'))
    .addColumn('endpoint_id', 'text', (c) => c.references('identity_endpoints.id').onDelete('cascade'))
    .addColumn('service_id', 'text', (c) => c.references('identity_services.id').onDelete('cascade'))
    .addColumn('region_id', 'text', (c) => c.references('identity_regions.id').onDelete('cascade'))
    .execute()
  for (const column of ['policy_id', 'endpoint_id', 'service_id', 'region_id'])
    await index(db, 'identity_policy_associations', column)
}

async function endpointFilters(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('identity_endpoint_groups')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('description', 'text')
    .addColumn('filters', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('identity_project_endpoints')
    .addColumn('project_id', 'text', (c) => c.notNull().references('identity_projects.id').onDelete('cascade'))
    .addColumn('endpoint_id', 'text', (c) => c.notNull().references('identity_endpoints.id').onDelete('cascade'))
    .addPrimaryKeyConstraint('identity_project_endpoints_pk', ['project_id', 'endpoint_id'])
    .execute()
  await index(db, 'identity_project_endpoints', 'endpoint_id')
  await db.schema
    .createTable('identity_project_endpoint_groups')
    .addColumn('project_id', 'text', (c) => c.notNull().references('identity_projects.id').onDelete('cascade'))
    .addColumn('endpoint_group_id', 'text', (c) =>
      c.notNull().references('identity_endpoint_groups.id').onDelete('cascade'),
    )
    .addPrimaryKeyConstraint('identity_project_endpoint_groups_pk', ['project_id', 'endpoint_group_id'])
    .execute()
  await index(db, 'identity_project_endpoint_groups', 'endpoint_group_id')
}

async function limits(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('identity_registered_limits')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('service_id', 'text', (c) => c.notNull().references('identity_services.id').onDelete('cascade'))
    .addColumn('region_id', 'text', (c) => c.notNull())
    .addColumn('resource_name', 'text', (c) => c.notNull())
    .addColumn('default_limit', 'integer', (c) => c.notNull())
    .addColumn('description', 'text')
    .addUniqueConstraint('identity_registered_limits_of', ['service_id', 'region_id', 'resource_name'])
    .execute()
  await db.schema
    .createTable('identity_limits')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('registered_limit_id', 'text', (c) =>
      c.notNull().references('identity_registered_limits.id').onDelete('cascade'),
    )
    .addColumn('project_id', 'text', (c) => c.references('identity_projects.id').onDelete('cascade'))
    .addColumn('domain_id', 'text', (c) => c.references('identity_projects.id').onDelete('cascade'))
    .addColumn('holder_id', 'text', (c) => c.notNull())
    .addColumn('resource_limit', 'integer', (c) => c.notNull())
    .addColumn('description', 'text')
    .addUniqueConstraint('identity_limits_of', ['holder_id', 'registered_limit_id'])
    .execute()
  for (const column of ['registered_limit_id', 'project_id', 'domain_id']) await index(db, 'identity_limits', column)
}

async function index(db: Kysely<unknown>, table: string, column: string): Promise<void> {
  await db.schema.createIndex(`${table}_by_${column}`).on(table).column(column).execute()
}
