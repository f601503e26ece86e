import type { Db } from '../../../platform/db/database.ts'

export type Metadata = Record<string, string>

export async function get(db: Db, serverId: string): Promise<Metadata> {
  return (await list(db, [serverId])).get(serverId) ?? {}
}

/** Of a whole page of servers, with one query. */
export async function list(db: Db, serverIds: readonly string[]): Promise<Map<string, Metadata>> {
  const all = new Map<string, Metadata>()
  if (serverIds.length === 0) return all
  const rows = await db
    .selectFrom('compute_server_metadata')
    .selectAll()
    .where('server_id', 'in', serverIds)
    .orderBy('key')
    .execute()
  for (const { server_id, key, value } of rows) {
    const metadata = all.get(server_id) ?? {}
    metadata[key] = value
    all.set(server_id, metadata)
  }
  return all
}

/** Adds items, and replaces those there are. */
export async function put(db: Db, serverIds: readonly string[], items: Metadata): Promise<void> {
  const rows = serverIds.flatMap((server_id) =>
    Object.entries(items).map(([key, value]) => ({ server_id, key, value })),
  )
  if (rows.length === 0) return
  await db
    .insertInto('compute_server_metadata')
    .values(rows)
    .onConflict((c) => c.columns(['server_id', 'key']).doUpdateSet((eb) => ({ value: eb.ref('excluded.value') })))
    .execute()
}

/** Removes one item, or all. False when there was none. */
export async function remove(db: Db, serverId: string, key?: string): Promise<boolean> {
  let query = db.deleteFrom('compute_server_metadata').where('server_id', '=', serverId)
  if (key !== undefined) query = query.where('key', '=', key)
  const { numDeletedRows } = await query.executeTakeFirst()
  return numDeletedRows > 0n
}
