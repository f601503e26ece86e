import { type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

type Table = CreateTableBuilder<string, string>

const standard = (table: Table): Table =>
  table
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('project_id', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'text', (c) => c.notNull())
    .addColumn('revision_number', 'integer', (c) => c.notNull())

const texts = (table: Table, ...names: string[]): Table =>
  names.reduce((t, name) => t.addColumn(name, 'text', (c) => c.notNull()), table)
const nullableTexts = (table: Table, ...names: string[]): Table =>
  names.reduce((t, name) => t.addColumn(name, 'text'), table)
const integers = (table: Table, ...names: string[]): Table =>
  names.reduce((t, name) => t.addColumn(name, 'integer', (c) => c.notNull()), table)

/** Kysely numbers generations and positions as 64 bits on both engines. */
const big = (table: Table, ...names: string[]): Table =>
  names.reduce((t, name) => t.addColumn(name, 'bigint', (c) => c.notNull()), table)

export const start: Migration = {
  name: '001-start',
  async up(db) {
    await resources(db)
    await addresses(db)
    await securityGroups(db)
    await orders(db)
    await db.schema
      .createTable('network_quotas')
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addColumn('resource', 'text', (c) => c.notNull())
      .addColumn('quota_limit', 'integer', (c) => c.notNull())
      .addPrimaryKeyConstraint('network_quotas_pk', ['project_id', 'resource'])
      .execute()
  },
}

async function resources(db: Kysely<unknown>): Promise<void> {
  let table = standard(db.schema.createTable('network_networks') as Table)
  table = texts(table, 'name', 'network_type', 'status')
  table = nullableTexts(table, 'physical_network')
  table = integers(table, 'admin_state_up', 'shared', 'external', 'mtu', 'port_security_enabled', 'segmentation_id')
  await table.addUniqueConstraint('network_networks_segment', ['segmentation_id']).execute()
  await index(db, 'network_networks', 'network_networks_by_project', ['project_id', 'id'])
  // What every project sees: few, so that "mine or shared" costs the same however many networks there are.
  await sql`create index network_networks_open on network_networks (id) where shared = 1 or external = 1`.execute(db)

  table = standard(db.schema.createTable('network_subnets') as Table)
  table = table.addColumn('network_id', 'text', (c) => c.notNull().references('network_networks.id'))
  table = texts(table, 'name', 'cidr', 'allocation_pools', 'dns_nameservers', 'host_routes')
  table = nullableTexts(table, 'gateway_ip', 'ipv6_address_mode', 'ipv6_ra_mode')
  await integers(table, 'ip_version', 'enable_dhcp').execute()
  await index(db, 'network_subnets', 'network_subnets_by_network', ['network_id'])
  await index(db, 'network_subnets', 'network_subnets_by_project', ['project_id', 'id'])

  table = standard(db.schema.createTable('network_ports') as Table)
  table = table.addColumn('network_id', 'text', (c) => c.notNull().references('network_networks.id'))
  table = texts(table, 'name', 'mac_address', 'status', 'device_id', 'device_owner', 'allowed_address_pairs')
  table = texts(table, 'vnic_type', 'binding_profile')
  table = nullableTexts(table, 'host', 'fault')
  table = integers(table, 'admin_state_up', 'port_security_enabled', 'made_by_compute', 'nic_index')
  await big(table, 'generation', 'seen_generation')
    .addUniqueConstraint('network_ports_mac', ['network_id', 'mac_address'])
    .execute()
  await index(db, 'network_ports', 'network_ports_by_project', ['project_id', 'id'])
  await index(db, 'network_ports', 'network_ports_by_device', ['device_id'])
  await index(db, 'network_ports', 'network_ports_by_host', ['host', 'network_id'])
  await sql`create index network_ports_unsettled on network_ports (host, id)
    where host is not null and seen_generation < generation`.execute(db)
}

async function addresses(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('network_ip_allocations')
    .addColumn('subnet_id', 'text', (c) => c.notNull().references('network_subnets.id'))
    .addColumn('ip_address', 'text', (c) => c.notNull())
    .addColumn('network_id', 'text', (c) => c.notNull())
    .addColumn('port_id', 'text', (c) => c.notNull().references('network_ports.id').onDelete('cascade'))
    .addColumn('position', 'bigint')
    .addColumn('ordinal', 'integer', (c) => c.notNull())
    // The one judge of two requests that want the same address.
    .addPrimaryKeyConstraint('network_ip_allocations_pk', ['subnet_id', 'ip_address'])
    .execute()
  await index(db, 'network_ip_allocations', 'network_ip_allocations_by_port', ['port_id', 'ordinal'])
  await index(db, 'network_ip_allocations', 'network_ip_allocations_by_position', ['subnet_id', 'position'])
  await index(db, 'network_ip_allocations', 'network_ip_allocations_by_address', ['ip_address'])
}

async function securityGroups(db: Kysely<unknown>): Promise<void> {
  let table = standard(db.schema.createTable('network_security_groups') as Table)
  await integers(texts(table, 'name'), 'stateful', 'is_default').execute()
  await index(db, 'network_security_groups', 'network_security_groups_by_project', ['project_id', 'id'])
  await sql`create unique index network_security_groups_default on network_security_groups (project_id)
    where is_default = 1`.execute(db)

  table = standard(db.schema.createTable('network_security_group_rules') as Table)
  table = table.addColumn('group_id', 'text', (c) =>
    c.notNull().references('network_security_groups.id').onDelete('cascade'),
  )
  table = table.addColumn('remote_group_id', 'text', (c) =>
    c.references('network_security_groups.id').onDelete('cascade'),
  )
  table = texts(table, 'direction', 'ethertype', 'fingerprint')
  table = nullableTexts(table, 'protocol', 'remote_ip_prefix')
  table = table.addColumn('port_range_min', 'integer').addColumn('port_range_max', 'integer')
  await table.addUniqueConstraint('network_security_group_rules_same', ['group_id', 'fingerprint']).execute()
  await index(db, 'network_security_group_rules', 'network_security_group_rules_by_remote', ['remote_group_id'])
  await index(db, 'network_security_group_rules', 'network_security_group_rules_by_project', ['project_id', 'id'])

  await db.schema
    .createTable('network_port_groups')
    .addColumn('port_id', 'text', (c) => c.notNull().references('network_ports.id').onDelete('cascade'))
    .addColumn('group_id', 'text', (c) => c.notNull().references('network_security_groups.id'))
    .addPrimaryKeyConstraint('network_port_groups_pk', ['port_id', 'group_id'])
    .execute()
  await index(db, 'network_port_groups', 'network_port_groups_by_group', ['group_id'])
}

async function orders(db: Kysely<unknown>): Promise<void> {
  for (const noun of ['network', 'group']) {
    const name = `network_host_${noun}s`
    const table = texts(db.schema.createTable(name) as Table, `${noun}_id`, 'host', 'wish')
    await big(nullableTexts(table, 'fault'), 'generation', 'seen_generation')
      .addPrimaryKeyConstraint(`${name}_pk`, [`${noun}_id`, 'host'])
      .execute()
    await sql`create index ${sql.ref(`${name}_unsettled`)} on ${sql.table(name)} (host)
      where seen_generation < generation`.execute(db)
    await index(db, name, `${name}_by_host`, ['host'])
  }
  await db.schema.alterTable('network_host_networks').addColumn('idle_since', 'bigint').execute()
  await sql`create index network_host_networks_idle on network_host_networks (idle_since)
    where idle_since is not null`.execute(db)
  const gone = texts(db.schema.createTable('network_gone_ports') as Table, 'port_id', 'host', 'network_id')
  await big(texts(gone, 'mac_address'), 'generation')
    .addPrimaryKeyConstraint('network_gone_ports_pk', ['port_id', 'host'])
    .execute()
  await db.schema
    .createTable('network_host_starts')
    .addColumn('host', 'text', (c) => c.primaryKey())
    .addColumn('started_at', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('network_group_changes')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('group_id', 'text', (c) => c.notNull())
    .execute()
}

async function index(db: Kysely<unknown>, table: string, name: string, columns: string[]): Promise<void> {
  await db.schema.createIndex(name).on(table).columns(columns).execute()
}
