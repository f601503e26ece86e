import { type CreateTableBuilder, sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

/** Labels, the rules that say which traffic of routers each counts, and what was counted. */
export const metering: Migration = {
  name: '006-metering',
  async up(db) {
    await (db.schema.createTable('network_metering_labels') as CreateTableBuilder<string, string>)
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('description', 'text', (c) => c.notNull())
      .addColumn('shared', 'integer', (c) => c.notNull())
      .addColumn('packets', 'bigint', (c) => c.notNull())
      .addColumn('bytes', 'bigint', (c) => c.notNull())
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addColumn('updated_at', 'text', (c) => c.notNull())
      .addColumn('revision_number', 'integer', (c) => c.notNull())
      .execute()
    await sql`create index network_metering_labels_by_project on network_metering_labels (project_id, id)`.execute(db)
    await db.schema
      .createTable('network_metering_rules')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('label_id', 'text', (c) => c.notNull().references('network_metering_labels.id').onDelete('cascade'))
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addColumn('direction', 'text', (c) => c.notNull())
      .addColumn('excluded', 'integer', (c) => c.notNull())
      .addColumn('remote_ip_prefix', 'text')
      .addColumn('source_ip_prefix', 'text')
      .addColumn('destination_ip_prefix', 'text')
      .execute()
    await sql`create index network_metering_rules_by_label on network_metering_rules (label_id)`.execute(db)
  },
}
