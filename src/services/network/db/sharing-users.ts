import { type RawBuilder, sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { ObjectType, SharingAction } from './sharing-tables.ts'

const users = (id: string): Record<`${ObjectType} ${SharingAction}`, RawBuilder<unknown> | null> => ({
  'network access_as_shared': sql`select project_id from network_ports where network_id = ${id}`,
  'network access_as_external': sql`select project_id from network_routers where gateway_network_id = ${id}
    union select project_id from network_floating_ips where floating_network_id = ${id}`,
  'security_group access_as_shared': sql`select p.project_id from network_ports p
    join network_port_groups g on g.port_id = p.id where g.group_id = ${id}`,
  'subnetpool access_as_shared': sql`select project_id from network_subnets where subnetpool_id = ${id}`,
  'address_scope access_as_shared': sql`select project_id from network_subnet_pools where address_scope_id = ${id}`,
  'address_group access_as_shared': sql`select project_id from network_security_group_rules
    where remote_address_group_id = ${id}`,
  'qos_policy access_as_shared': sql`select project_id from network_networks where qos_policy_id = ${id}
    union select project_id from network_ports where qos_policy_id = ${id}
    union select project_id from network_floating_ips where qos_policy_id = ${id}`,
  'security_group access_as_external': null,
  'subnetpool access_as_external': null,
  'address_scope access_as_external': null,
  'address_group access_as_external': null,
  'qos_policy access_as_external': null,
})

/** The projects that make use of an object in this way, its owner among them; the cloud's own ports have none. */
export async function usersOf(db: Db, type: ObjectType, action: SharingAction, id: string): Promise<string[]> {
  const query = users(id)[`${type} ${action}`]
  if (query === null) return []
  const { rows } = await sql<{ project_id: string }>`select distinct project_id from (${query}) u`.execute(db)
  return rows.map((row) => row.project_id).filter((project) => project !== '')
}

const tables = {
  network: 'network_networks',
  security_group: 'network_security_groups',
  subnetpool: 'network_subnet_pools',
  address_scope: 'network_address_scopes',
  address_group: 'network_address_groups',
  qos_policy: 'network_qos_policies',
} as const satisfies Record<ObjectType, string>

export const objectTypes = Object.keys(tables) as ObjectType[]

/** Whose the object is; undefined when there is none such. */
export async function ownerOf(db: Db, type: ObjectType, id: string): Promise<string | undefined> {
  const table = tables[type]
  const row = await db.selectFrom(table).select('project_id').where('id', '=', id).executeTakeFirst()
  return row?.project_id
}
