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

/** Sets the status of a server's migration that is under way. */
export async function finish(db: Db, serverId: string, status: string, at: string): Promise<void> {
  await db
    .updateTable('compute_migrations')
    .set({ status, updated_at: at })
    .where('server_id', '=', serverId)
    .where('status', 'in', ['migrating', 'finished'])
    .execute()
}

export interface MigrationQuery {
  serverId?: string
  host?: string
  status?: string
  userId?: string
  projectId?: string
}

/** Newest first. */
export async function list(db: Db, query: MigrationQuery, limit: number): Promise<MigrationRow[]> {
  let select = db.selectFrom('compute_migrations').selectAll()
  if (query.serverId) select = select.where('server_id', '=', query.serverId)
  if (query.host) select = select.where('host', '=', query.host)
  if (query.status) select = select.where('status', '=', query.status)
  if (query.userId) select = select.where('user_id', '=', query.userId)
  if (query.projectId) select = select.where('project_id', '=', query.projectId)
  return await select.orderBy('id', 'desc').limit(limit).execute()
}
