import { type Insertable, type Selectable, sql, type Updateable } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { dhcpOwner } from './dhcp-ports.ts'
import { type Listing, listed } from './listing.ts'
import type { PortsTable } from './tables.ts'

export type PortRow = Selectable<PortsTable>

export async function find(db: Db, id: string): Promise<PortRow | undefined> {
  return await db.selectFrom('network_ports').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function byIds(db: Db, ids: readonly string[]): Promise<Map<string, PortRow>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('network_ports').selectAll().where('id', 'in', ids).execute()
  return new Map(rows.map((row) => [row.id, row]))
}

export async function list(db: Db, listing: Listing): Promise<PortRow[]> {
  return await listed(db.selectFrom('network_ports').selectAll(), listing)
}

/** False when the MAC address is taken on the network. */
export async function insert(trx: Trx, row: Insertable<PortsTable>): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('network_ports')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** Every change is a new wish, which its host has yet to see. */
export async function update(trx: Trx, id: string, changes: Updateable<PortsTable>): Promise<void> {
  await trx
    .updateTable('network_ports')
    .set({ ...changes, generation: sql<number>`generation + 1`, revision_number: sql<number>`revision_number + 1` })
    .where('id', '=', id)
    .execute()
}

export async function remove(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('network_ports').where('id', '=', id).execute()
}

export async function ofNetwork(db: Db, networkId: string): Promise<PortRow[]> {
  return await db.selectFrom('network_ports').selectAll().where('network_id', '=', networkId).execute()
}

/** Some port of the network that does not go with it, as DHCP's do. */
export async function anyOfNetwork(db: Db, networkId: string): Promise<PortRow | undefined> {
  return await db
    .selectFrom('network_ports')
    .selectAll()
    .where('network_id', '=', networkId)
    .where('device_owner', '!=', dhcpOwner)
    .limit(1)
    .executeTakeFirst()
}

export async function withMac(db: Db, networkId: string, mac: string): Promise<PortRow | undefined> {
  return await db
    .selectFrom('network_ports')
    .selectAll()
    .where('network_id', '=', networkId)
    .where('mac_address', '=', mac)
    .executeTakeFirst()
}

/** In NIC order. */
export async function ofDevices(db: Db, deviceIds: readonly string[]): Promise<PortRow[]> {
  if (deviceIds.length === 0) return []
  return await db
    .selectFrom('network_ports')
    .selectAll()
    .where('device_id', 'in', deviceIds)
    .orderBy('device_id')
    .orderBy('nic_index')
    .orderBy('id')
    .execute()
}

/** Its bound ports get new orders: something that goes with each of them has changed. */
export async function touchNetwork(trx: Trx, networkId: string): Promise<void> {
  await trx
    .updateTable('network_ports')
    .set({ generation: sql<number>`generation + 1` })
    .where('network_id', '=', networkId)
    .where('host', 'is not', null)
    .execute()
}

/** The same for the ports of a device: which of them has the default route may have changed. */
export async function touchDevice(trx: Trx, deviceId: string): Promise<void> {
  await trx
    .updateTable('network_ports')
    .set({ generation: sql<number>`generation + 1` })
    .where('device_id', '=', deviceId)
    .where('host', 'is not', null)
    .execute()
}

export async function groupsOf(db: Db, portIds: readonly string[]): Promise<Map<string, string[]>> {
  const groups = new Map<string, string[]>(portIds.map((id) => [id, []]))
  if (portIds.length === 0) return groups
  const rows = await db
    .selectFrom('network_port_groups')
    .selectAll()
    .where('port_id', 'in', portIds)
    .orderBy('group_id')
    .execute()
  for (const row of rows) groups.get(row.port_id)?.push(row.group_id)
  return groups
}

export async function setGroups(trx: Trx, portId: string, groupIds: readonly string[]): Promise<void> {
  await trx.deleteFrom('network_port_groups').where('port_id', '=', portId).execute()
  if (groupIds.length === 0) return
  await trx
    .insertInto('network_port_groups')
    .values(groupIds.map((group_id) => ({ port_id: portId, group_id })))
    .execute()
}
