import { type CreateTableBuilder, sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

type Table = CreateTableBuilder<string, string>

/** Routers, floating IPs, and routers that a host has yet to take down. A router's interfaces are ports. */
export const routers: Migration = {
  name: '002-routers',
  async up(db) {
    await standard(db.schema.createTable('network_routers') as Table)
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('admin_state_up', 'integer', (c) => c.notNull())
      .addColumn('enable_snat', 'integer', (c) => c.notNull())
      .addColumn('gateway_network_id', 'text', (c) => c.references('network_networks.id'))
      .addColumn('gateway_port_id', 'text')
      .addColumn('routes', 'text', (c) => c.notNull())
      .addColumn('status', 'text', (c) => c.notNull())
      .addColumn('host', 'text')
      .addColumn('generation', 'bigint', (c) => c.notNull())
      .addColumn('seen_generation', 'bigint', (c) => c.notNull())
      .addColumn('fault', 'text')
      .execute()
    await db.schema
      .createIndex('network_routers_by_project')
      .on('network_routers')
      .columns(['project_id', 'id'])
      .execute()
    await db.schema.createIndex('network_routers_by_host').on('network_routers').columns(['host', 'id']).execute()
    await sql`create index network_routers_unsettled on network_routers (host, id)
      where seen_generation < generation`.execute(db)

    await standard(db.schema.createTable('network_floating_ips') as Table)
      .addColumn('floating_network_id', 'text', (c) => c.notNull().references('network_networks.id'))
      .addColumn('floating_ip_address', 'text', (c) => c.notNull())
      .addColumn('floating_port_id', 'text', (c) => c.notNull())
      .addColumn('port_id', 'text')
      .addColumn('fixed_ip_address', 'text')
      .addColumn('router_id', 'text')
      .addColumn('status', 'text', (c) => c.notNull())
      // One floating address of a network for a fixed one; NULLs never equal each other.
      .addUniqueConstraint('network_floating_ips_fixed', ['port_id', 'fixed_ip_address', 'floating_network_id'])
      .execute()
    for (const [name, columns] of [
      ['by_project', ['project_id', 'id']],
      ['by_router', ['router_id']],
      ['by_address', ['floating_ip_address']],
    ] as const) {
      await db.schema
        .createIndex(`network_floating_ips_${name}`)
        .on('network_floating_ips')
        .columns([...columns])
        .execute()
    }
    await db.schema
      .createTable('network_gone_routers')
      .addColumn('router_id', 'text', (c) => c.notNull())
      .addColumn('host', 'text', (c) => c.notNull())
      .addColumn('generation', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('network_gone_routers_pk', ['router_id', 'host'])
      .execute()
  },
}

const standard = (table: Table): Table =>
  table
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('project_id', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'text', (c) => c.notNull())
    .addColumn('revision_number', 'integer', (c) => c.notNull())
