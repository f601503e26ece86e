import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { InterfacesTable } from './tables.ts'

export type InterfaceRow = Selectable<InterfacesTable>

/** A NIC with a tag, or on its way in or out; a port has at most one row. */
export async function put(db: Db, row: InterfacesTable): Promise<void> {
  const { port_id: _, ...rest } = row
  await db
    .insertInto('compute_interfaces')
    .values(row)
    .onConflict((conflict) => conflict.column('port_id').doUpdateSet(rest))
    .execute()
}

export async function find(db: Db, portId: string): Promise<InterfaceRow | undefined> {
  return await db.selectFrom('compute_interfaces').selectAll().where('port_id', '=', portId).executeTakeFirst()
}

/** What is under way for a server. */
export async function changing(db: Db, serverId: string): Promise<InterfaceRow[]> {
  return await db
    .selectFrom('compute_interfaces')
    .selectAll()
    .where('server_id', '=', serverId)
    .where('change', 'is not', null)
    .execute()
}

/** Ports of these servers that are on their way out. */
export async function leaving(db: Db, serverIds: readonly string[]): Promise<Set<string>> {
  if (serverIds.length === 0) return new Set()
  const rows = await db
    .selectFrom('compute_interfaces')
    .select('port_id')
    .where('server_id', 'in', serverIds)
    .where('change', '=', 'detach')
    .execute()
  return new Set(rows.map((row) => row.port_id))
}

/** By port. */
export async function tags(db: Db, serverId: string): Promise<Map<string, string>> {
  const rows = await db
    .selectFrom('compute_interfaces')
    .select(['port_id', 'tag'])
    .where('server_id', '=', serverId)
    .where('tag', 'is not', null)
    .execute()
  return new Map(rows.map((row) => [row.port_id, row.tag ?? '']))
}

/** The change is made, or given up; a tag stays. */
export async function settle(db: Db, portId: string): Promise<void> {
  await db
    .updateTable('compute_interfaces')
    .set({ change: null, action_id: null })
    .where('port_id', '=', portId)
    .execute()
}

export async function remove(db: Db, portId: string): Promise<void> {
  await db.deleteFrom('compute_interfaces').where('port_id', '=', portId).execute()
}

export async function removeOfServer(db: Db, serverId: string): Promise<void> {
  await db.deleteFrom('compute_interfaces').where('server_id', '=', serverId).execute()
}
