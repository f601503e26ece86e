import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { ServerGroupsTable } from './tables.ts'

export type ServerGroupRow = Selectable<ServerGroupsTable>

export async function find(db: Db, id: string): Promise<ServerGroupRow | undefined> {
  return await db.selectFrom('compute_server_groups').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Of a project, or of all. */
export async function list(
  db: Db,
  projectId: string | null,
  page: { limit: number; offset: number },
): Promise<ServerGroupRow[]> {
  let select = db.selectFrom('compute_server_groups').selectAll()
  if (projectId !== null) select = select.where('project_id', '=', projectId)
  return await select.orderBy('created_at').orderBy('id').limit(page.limit).offset(page.offset).execute()
}

export async function insert(db: Db, row: ServerGroupsTable): Promise<void> {
  await db.insertInto('compute_server_groups').values(row).execute()
}

/** Its members stay as they are, in no group. */
export async function remove(db: Db, id: string): Promise<void> {
  await db.deleteFrom('compute_server_group_members').where('group_id', '=', id).execute()
  await db.deleteFrom('compute_server_groups').where('id', '=', id).execute()
}

export async function addMembers(db: Db, groupId: string, serverIds: readonly string[]): Promise<void> {
  const rows = serverIds.map((server_id) => ({ server_id, group_id: groupId }))
  await db.insertInto('compute_server_group_members').values(rows).execute()
}

/** Servers that are not deleted, with their hosts, by group. */
export async function members(
  db: Db,
  groupIds: readonly string[],
): Promise<Map<string, { id: string; host: string | null }[]>> {
  if (groupIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('compute_server_group_members as m')
    .innerJoin('compute_servers as s', 's.id', 'm.server_id')
    .select(['m.group_id', 's.id', 's.host'])
    .where('m.group_id', 'in', groupIds)
    .where('s.deleted', '=', 0)
    .orderBy('s.created_at')
    .execute()
  return Map.groupBy(rows, (row) => row.group_id)
}

/** Of a server; null when it is in none. */
export async function ofServer(db: Db, serverId: string): Promise<string | null> {
  const row = await db
    .selectFrom('compute_server_group_members')
    .select('group_id')
    .where('server_id', '=', serverId)
    .executeTakeFirst()
  return row?.group_id ?? null
}
