import type { Migration } from '../../../../platform/db/database.ts'

export const applicationCredentials: Migration = {
  name: '0004-application-credentials',
  async up(db) {
    await db.schema
      .createTable('identity_application_credentials')
      .addColumn('id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('user_id', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addColumn('description', 'text')
      .addColumn('secret_hash', 'text', (c) => c.notNull())
      .addColumn('expires_at', 'text')
      .addColumn('unrestricted', 'integer', (c) => c.notNull())
      .addColumn('roles', 'text', (c) => c.notNull())
      .addUniqueConstraint('identity_application_credentials_name', ['user_id', 'name'])
      .execute()
    await db.schema
      .createIndex('identity_application_credentials_by_project_id')
      .on('identity_application_credentials')
      .column('project_id')
      .execute()
    await db.schema
      .createTable('identity_access_rules')
      .addColumn('id', 'text', (c) => c.primaryKey().notNull())
      .addColumn('user_id', 'text', (c) => c.notNull())
      .addColumn('service', 'text', (c) => c.notNull())
      .addColumn('method', 'text', (c) => c.notNull())
      .addColumn('path', 'text', (c) => c.notNull())
      .addUniqueConstraint('identity_access_rules_what', ['user_id', 'service', 'path', 'method'])
      .execute()
    await db.schema
      .createTable('identity_application_credential_rules')
      .addColumn('application_credential_id', 'text', (c) =>
        c.notNull().references('identity_application_credentials.id').onDelete('cascade'),
      )
      .addColumn('access_rule_id', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('identity_application_credential_rules_pk', [
        'application_credential_id',
        'access_rule_id',
      ])
      .execute()
    await db.schema
      .createIndex('identity_application_credential_rules_by_rule')
      .on('identity_application_credential_rules')
      .column('access_rule_id')
      .execute()
  },
}
