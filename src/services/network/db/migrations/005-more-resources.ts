import { type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'
import { countRows } from '../../../../platform/quota/counters.ts'
import { sharingCounters } from '../counters.ts'

type Table = CreateTableBuilder<string, string>

/** Address plans (scopes, pools, groups), QoS, port forwardings, names, bindings to further hosts, agents' settings. */
export const moreResources: Migration = {
  name: '005-more-resources',
  async up(db) {
    await addressPlans(db)
    await countRows(db, sharingCounters)
    await qualityOfService(db)
    await forwarding(db)
    await columns(db)
    await db.schema
      .createTable('network_agent_settings')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('host', 'text', (c) => c.notNull())
      .addColumn('agent_type', 'text', (c) => c.notNull())
      .addColumn('admin_state_up', 'integer', (c) => c.notNull())
      .addColumn('description', 'text', (c) => c.notNull())
      .addColumn('removed_at', 'text')
      .execute()
    await db.schema
      .createTable('network_auto_topologies')
      .addColumn('project_id', 'text', (c) => c.primaryKey())
      .addColumn('network_id', 'text', (c) => c.notNull())
      .addColumn('router_id', 'text')
      .execute()
    await db.schema
      .createTable('network_port_bindings')
      .addColumn('port_id', 'text', (c) => c.notNull().references('network_ports.id').onDelete('cascade'))
      .addColumn('host', 'text', (c) => c.notNull())
      .addColumn('vnic_type', 'text', (c) => c.notNull())
      .addColumn('profile', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('network_port_bindings_pk', ['port_id', 'host'])
      .execute()
  },
}

async function addressPlans(db: Kysely<unknown>): Promise<void> {
  await named(db, 'network_address_scopes')
    .addColumn('ip_version', 'integer', (c) => c.notNull())
    .execute()
  await named(db, 'network_subnet_pools')
    .addColumn('tags', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('ip_version', 'integer', (c) => c.notNull())
    .addColumn('prefixes', 'text', (c) => c.notNull())
    .addColumn('min_prefixlen', 'integer', (c) => c.notNull())
    .addColumn('max_prefixlen', 'integer', (c) => c.notNull())
    .addColumn('default_prefixlen', 'integer', (c) => c.notNull())
    .addColumn('default_quota', 'integer')
    .addColumn('is_default', 'integer', (c) => c.notNull())
    .addColumn('address_scope_id', 'text', (c) => c.references('network_address_scopes.id'))
    .execute()
  await sql`create unique index network_subnet_pools_default on network_subnet_pools (ip_version)
    where is_default = 1`.execute(db)
  await named(db, 'network_address_groups')
    .addColumn('addresses', 'text', (c) => c.notNull())
    .execute()
  for (const noun of ['address_scopes', 'subnet_pools', 'address_groups']) {
    await index(db, `network_${noun}`, ['project_id', 'id'])
  }
  await index(db, 'network_subnet_pools', ['address_scope_id'])
}

async function qualityOfService(db: Kysely<unknown>): Promise<void> {
  await named(db, 'network_qos_policies')
    .addColumn('tags', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('is_default', 'integer', (c) => c.notNull())
    .execute()
  await index(db, 'network_qos_policies', ['project_id', 'id'])
  await db.schema
    .createTable('network_qos_rules')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('policy_id', 'text', (c) => c.notNull().references('network_qos_policies.id').onDelete('cascade'))
    .addColumn('type', 'text', (c) => c.notNull())
    // Empty where the type of rule knows no direction, so that the constraint below holds for it too.
    .addColumn('direction', 'text', (c) => c.notNull())
    .addColumn('max_kbps', 'integer')
    .addColumn('max_burst_kbps', 'integer')
    .addColumn('dscp_mark', 'integer')
    .addUniqueConstraint('network_qos_rules_one', ['policy_id', 'type', 'direction'])
    .execute()
}

async function forwarding(db: Kysely<unknown>): Promise<void> {
  await standard(db.schema.createTable('network_port_forwardings') as Table)
    .addColumn('floating_ip_id', 'text', (c) => c.notNull().references('network_floating_ips.id').onDelete('cascade'))
    .addColumn('internal_port_id', 'text', (c) => c.notNull())
    .addColumn('internal_ip_address', 'text', (c) => c.notNull())
    .addColumn('protocol', 'text', (c) => c.notNull())
    .addColumn('external_first', 'integer', (c) => c.notNull())
    .addColumn('external_last', 'integer', (c) => c.notNull())
    .addColumn('internal_first', 'integer', (c) => c.notNull())
    .addColumn('internal_last', 'integer', (c) => c.notNull())
    .execute()
  await index(db, 'network_port_forwardings', ['floating_ip_id', 'protocol', 'external_first'])
  await index(db, 'network_port_forwardings', ['internal_port_id'])
}

async function columns(db: Kysely<unknown>): Promise<void> {
  const text = async (table: string, name: string, value: string | null) => {
    const alter = db.schema.alterTable(`network_${table}`)
    await (value === null
      ? alter.addColumn(name, 'text')
      : alter.addColumn(name, 'text', (c) => c.notNull().defaultTo(value))
    ).execute()
  }
  const flag = (table: string, name: string) =>
    db.schema
      .alterTable(`network_${table}`)
      .addColumn(name, 'integer', (c) => c.notNull().defaultTo(0))
      .execute()
  await text('networks', 'dns_domain', '')
  await text('networks', 'qos_policy_id', null)
  await text('networks', 'availability_zone_hints', '[]')
  // What the API shows as segmentation id; `segmentation_id` is the number of the tunnel between hosts.
  await text('networks', 'segment', null)
  await sql`update network_networks set segment = 'vxlan:' || segmentation_id`.execute(db)
  await sql`create unique index network_networks_by_segment on network_networks (segment)`.execute(db)
  await text('subnets', 'subnetpool_id', null)
  await text('subnets', 'service_types', '[]')
  await flag('subnets', 'dns_publish_fixed_ip')
  await index(db, 'network_subnets', ['subnetpool_id'])
  for (const name of ['dns_name', 'dns_domain']) {
    await text('ports', name, '')
    await text('floating_ips', name, '')
  }
  await text('ports', 'extra_dhcp_opts', '[]')
  await text('ports', 'qos_policy_id', null)
  await flag('ports', 'propagate_uplink_status')
  await text('routers', 'availability_zone_hints', '[]')
  // 1: taken off its agent by hand, and placed nowhere until somebody does.
  await flag('routers', 'unscheduled')
  await text('floating_ips', 'qos_policy_id', null)
  for (const table of ['networks', 'ports', 'floating_ips']) {
    await sql`create index ${sql.ref(`network_${table}_by_qos`)} on ${sql.table(`network_${table}`)} (qos_policy_id)
      where qos_policy_id is not null`.execute(db)
  }
  await text('security_group_rules', 'remote_address_group_id', null)
  await index(db, 'network_security_group_rules', ['remote_address_group_id'])
}

const standard = (table: Table): Table =>
  table
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('project_id', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'text', (c) => c.notNull())
    .addColumn('revision_number', 'integer', (c) => c.notNull())

const named = (db: Kysely<unknown>, table: string): Table =>
  standard(db.schema.createTable(table) as Table).addColumn('name', 'text', (c) => c.notNull())

const index = (db: Kysely<unknown>, table: string, over: string[]): Promise<void> =>
  db.schema
    .createIndex(`${table}_by_${over.join('_')}`)
    .on(table)
    .columns(over)
    .execute()
