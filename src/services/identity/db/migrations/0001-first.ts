import type { Kysely } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

export const first: Migration = {
  name: '0001-first',
  async up(db) {
    await people(db)
    await roles(db)
    await catalog(db)
    await db.schema
      .createTable('identity_revocations')
      .addColumn('id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('audit_id', 'text')
      .addColumn('user_id', 'text')
      .addColumn('role_id', 'text')
      .addColumn('scope', 'text')
      .addColumn('domain_id', 'text')
      .addColumn('issued_before_ms', 'bigint', (c) => c.notNull())
      .execute()
    await index(db, 'identity_revocations', ['issued_before_ms'])
  },
}

async function people(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('identity_projects')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('domain_id', 'text', (c) => c.notNull())
    .addColumn('parent_id', 'text', (c) => c.notNull())
    .addColumn('is_domain', 'integer', (c) => c.notNull())
    .addColumn('enabled', 'integer', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('tags', 'text', (c) => c.notNull())
    .addColumn('options', 'text', (c) => c.notNull())
    .addColumn('extra', 'text', (c) => c.notNull())
    .addUniqueConstraint('identity_projects_name', ['domain_id', 'name'])
    .execute()
  await index(db, 'identity_projects', ['parent_id'])
  await index(db, 'identity_projects', ['is_domain', 'id'])
  await db.schema
    .createTable('identity_users')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('domain_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('enabled', 'integer', (c) => c.notNull())
    .addColumn('default_project_id', 'text')
    .addColumn('password_hash', 'text')
    .addColumn('password_created_at', 'text')
    .addColumn('password_expires_at', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('options', 'text', (c) => c.notNull())
    .addColumn('extra', 'text', (c) => c.notNull())
    .addUniqueConstraint('identity_users_name', ['domain_id', 'name'])
    .execute()
  await index(db, 'identity_users', ['default_project_id'])
  await db.schema
    .createTable('identity_groups')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('domain_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('extra', 'text', (c) => c.notNull())
    .addUniqueConstraint('identity_groups_name', ['domain_id', 'name'])
    .execute()
  await db.schema
    .createTable('identity_memberships')
    .addColumn('group_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('identity_memberships_pk', ['user_id', 'group_id'])
    .execute()
  await index(db, 'identity_memberships', ['group_id'])
}

async function roles(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('identity_roles')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('domain_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('description', 'text')
    .addColumn('options', 'text', (c) => c.notNull())
    .addColumn('extra', 'text', (c) => c.notNull())
    .addUniqueConstraint('identity_roles_name', ['domain_id', 'name'])
    .execute()
  await db.schema
    .createTable('identity_implied_roles')
    .addColumn('prior_role_id', 'text', (c) => c.notNull())
    .addColumn('implied_role_id', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('identity_implied_roles_pk', ['prior_role_id', 'implied_role_id'])
    .execute()
  await db.schema
    .createTable('identity_assignments')
    .addColumn('actor_kind', 'text', (c) => c.notNull())
    .addColumn('actor_id', 'text', (c) => c.notNull())
    .addColumn('target_kind', 'text', (c) => c.notNull())
    .addColumn('target_id', 'text', (c) => c.notNull())
    .addColumn('role_id', 'text', (c) => c.notNull())
    .addColumn('inherited', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('identity_assignments_pk', [
      'actor_id',
      'target_id',
      'role_id',
      'inherited',
      'actor_kind',
      'target_kind',
    ])
    .execute()
  await index(db, 'identity_assignments', ['target_id'])
  await index(db, 'identity_assignments', ['role_id'])
}

async function catalog(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('identity_regions')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('parent_region_id', 'text')
    .addColumn('extra', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('identity_services')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('name', 'text')
    .addColumn('description', 'text')
    .addColumn('enabled', 'integer', (c) => c.notNull())
    .addColumn('extra', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('identity_endpoints')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('service_id', 'text', (c) => c.notNull().references('identity_services.id').onDelete('cascade'))
    .addColumn('region_id', 'text')
    .addColumn('interface', 'text', (c) => c.notNull())
    .addColumn('url', 'text', (c) => c.notNull())
    .addColumn('enabled', 'integer', (c) => c.notNull())
    .addColumn('extra', 'text', (c) => c.notNull())
    .execute()
  await index(db, 'identity_endpoints', ['service_id'])
}

async function index(db: Kysely<unknown>, table: string, columns: string[]): Promise<void> {
  await db.schema
    .createIndex(`${table}_by_${columns.join('_')}`)
    .on(table)
    .columns(columns)
    .execute()
}
