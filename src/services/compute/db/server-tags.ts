import type { Db } from '../../../platform/db/database.ts'

/** Of a whole page of servers, with one query. */
export async function list(db: Db, serverIds: readonly string[]): Promise<Map<string, string[]>> {
  const all = new Map<string, string[]>()
  if (serverIds.length === 0) return all
  const rows = await db
    .selectFrom('compute_server_tags')
    .selectAll()
    .where('server_id', 'in', serverIds)
    .orderBy('tag')
    .execute()
  for (const { server_id, tag } of rows) {
    const tags = all.get(server_id)
    if (tags) tags.push(tag)
    else all.set(server_id, [tag])
  }
  return all
}

/** Adds tags; those there already stay. */
export async function add(db: Db, serverIds: readonly string[], tags: readonly string[]): Promise<void> {
  const rows = serverIds.flatMap((server_id) => [...new Set(tags)].map((tag) => ({ server_id, tag })))
  if (rows.length === 0) return
  await db
    .insertInto('compute_server_tags')
    .values(rows)
    .onConflict((c) => c.doNothing())
    .execute()
}

/** Removes one tag, or all. False when there was none. */
export async function remove(db: Db, serverId: string, tag?: string): Promise<boolean> {
  let query = db.deleteFrom('compute_server_tags').where('server_id', '=', serverId)
  if (tag !== undefined) query = query.where('tag', '=', tag)
  const { numDeletedRows } = await query.executeTakeFirst()
  return numDeletedRows > 0n
}
