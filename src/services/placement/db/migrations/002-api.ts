import { type Kysely, sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

/** What the API of its own needs: trees, units, traits, classes, aggregates, and generations of consumers. */
export const api: Migration = {
  name: '002-api',
  async up(db) {
    const add = async (table: string, column: string, definition: string) =>
      await sql`alter table ${sql.table(table)} add column ${sql.ref(column)} ${sql.raw(definition)}`.execute(db)
    await add('placement_providers', 'parent_id', 'text')
    await add('placement_providers', 'root_id', "text not null default ''")
    await sql`update placement_providers set root_id = id`.execute(db)
    await index(db, 'placement_providers', 'root_id')
    await index(db, 'placement_providers', 'parent_id')

    await add('placement_inventories', 'min_unit', 'integer not null default 1')
    await add('placement_inventories', 'max_unit', 'integer not null default 2147483647')
    await add('placement_inventories', 'step_size', 'integer not null default 1')
    await add('placement_inventories', 'default_ratio', 'double precision')
    await sql`update placement_inventories set default_ratio = allocation_ratio`.execute(db)

    await add('placement_allocations', 'consumer_generation', 'integer not null default 1')
    await add('placement_allocations', 'consumer_type', "text default 'INSTANCE'")
    await index(db, 'placement_allocations', 'project_id')

    for (const table of ['placement_traits', 'placement_resource_classes']) {
      await db.schema
        .createTable(table)
        .addColumn('name', 'text', (c) => c.primaryKey())
        .addColumn('created_at', 'text', (c) => c.notNull())
        .execute()
    }
    for (const [table, column] of [
      ['placement_provider_traits', 'trait'],
      ['placement_provider_aggregates', 'aggregate_id'],
    ] as const) {
      await db.schema
        .createTable(table)
        .addColumn('provider_id', 'text', (c) => c.notNull().references('placement_providers.id'))
        .addColumn(column, 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint(`${table}_pk`, ['provider_id', column])
        .execute()
      await index(db, table, column)
    }
  },
}

async function index(db: Kysely<unknown>, table: string, column: string): Promise<void> {
  await db.schema.createIndex(`${table}_by_${column}`).on(table).column(column).execute()
}
