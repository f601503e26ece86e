import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { MigrationsTable } from './tables.ts'

export type MigrationRow = Selectable<MigrationsTable>

export async function insert(db: Db, row: Omit<MigrationsTable, 'id'>): Promise<void> {
  const last = await db
    .selectFrom('compute_migrations')
    .select((eb) => eb.fn.max('id').as('id'))
    .executeTakeFirst()
  await db
    .insertInto('compute_migrations')
    .values({ ...row, id: Number(last?.id ?? 0) + 1 })
    .execute()
}

/** The API shows a flavor's number inside the database; ours have none but in their ids. */
export const numberOf = (flavorId: string): number => (/^\d{1,9}$/.test(flavorId) ? Number(flavorId) : 0)

const open = ['migrating', 'finished', 'accepted'] as const

/** The one under way for a server: its container may be on both hosts. */
export async function openOf(db: Db, serverId: string): Promise<MigrationRow | undefined> {
  return await db
    .selectFrom('compute_migrations')
    .selectAll()
    .where('server_id', '=', serverId)
    .where('status', 'in', open)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** Servers whose container a host keeps for going back, though they live on another one. */
export async function keptOn(db: Db, host: string, serverIds: readonly string[]): Promise<Set<string>> {
  if (serverIds.length === 0) return new Set()
  const rows = await db
    .selectFrom('compute_migrations')
    .select('server_id')
    .where('server_id', 'in', serverIds)
    .where('host', '=', host)
    .where('dest_host', 'is not', null)
    .where('type', '!=', 'evacuation')
    .where('status', 'in', open)
    .execute()
  return new Set(rows.map((row) => row.server_id))
}

/** Sets the status of a server's migration that is under way. */
export async function finish(db: Db, serverId: string, status: string, at: string): Promise<void> {
  await db
    .updateTable('compute_migrations')
    .set({ status, updated_at: at })
    .where('server_id', '=', serverId)
    .where('status', 'in', open)
    .execute()
}

export interface MigrationQuery {
  serverId?: string
  /** Where it comes from or goes to. */
  host?: string
  source?: string
  status?: string
  type?: string
  userId?: string
  projectId?: string
  changesSince?: string
  changesBefore?: string
  after?: MigrationRow
}

export async function byUuid(db: Db, uuid: string): Promise<MigrationRow | undefined> {
  return await db.selectFrom('compute_migrations').selectAll().where('uuid', '=', uuid).executeTakeFirst()
}
export async function find(db: Db, id: number): Promise<MigrationRow | undefined> {
  return await db.selectFrom('compute_migrations').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Newest first. */
export async function list(db: Db, query: MigrationQuery, limit: number): Promise<MigrationRow[]> {
  let select = db.selectFrom('compute_migrations').selectAll()
  if (query.serverId) select = select.where('server_id', '=', query.serverId)
  const { host, after } = query
  if (host) select = select.where((eb) => eb.or([eb('host', '=', host), eb('dest_host', '=', host)]))
  if (query.source) select = select.where('host', '=', query.source)
  if (query.type) select = select.where('type', '=', query.type as MigrationRow['type'])
  if (query.changesSince) select = select.where('updated_at', '>=', query.changesSince)
  if (query.changesBefore) select = select.where('updated_at', '<=', query.changesBefore)
  if (after) select = select.where('id', '<', after.id)
  if (query.status) select = select.where('status', '=', query.status)
  if (query.userId) select = select.where('user_id', '=', query.userId)
  if (query.projectId) select = select.where('project_id', '=', query.projectId)
  return await select.orderBy('id', 'desc').limit(limit).execute()
}
