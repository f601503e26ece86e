import type { Selectable } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import type { TaskStatus, TasksTable } from './import-tables.ts'

export interface Staging {
  imageId: string
  key: string
  size: number
  md5: string
  sha512: string
}

/** What a task needs besides what its owner may read. */
export interface TaskDetail {
  /** Where the data shall be. */
  stores: string[]
  /** All of them, or it has failed. */
  allMustSucceed: boolean
  /** Of an import from another image: what the caller may read. */
  sourceId?: string | null
}

export interface Task {
  id: string
  imageId: string
  type: string
  status: TaskStatus
  owner: string
  userId: string
  requestId: string
  input: Record<string, unknown>
  result: Record<string, unknown> | null
  message: string
  createdAt: string
  updatedAt: string
  expiresAt: string | null
  detail: TaskDetail | null
}

const taskOf = (row: Selectable<TasksTable>): Task => ({
  id: row.id,
  imageId: row.image_id,
  type: row.type,
  status: row.status,
  owner: row.owner,
  userId: row.user_id,
  requestId: row.request_id,
  input: JSON.parse(row.input) as Record<string, unknown>,
  result: row.result === null ? null : (JSON.parse(row.result) as Record<string, unknown>),
  message: row.message,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  expiresAt: row.expires_at,
  detail: row.detail === null ? null : (JSON.parse(row.detail) as TaskDetail),
})

export async function insertStaging(trx: Trx, { imageId, key, size, md5, sha512 }: Staging): Promise<void> {
  await trx.insertInto('image_stagings').values({ image_id: imageId, key, size, md5, sha512 }).execute()
}

export async function findStaging(db: Db, imageId: string): Promise<Staging | undefined> {
  const row = await db.selectFrom('image_stagings').selectAll().where('image_id', '=', imageId).executeTakeFirst()
  return row && { imageId, key: row.key, size: Number(row.size), md5: row.md5, sha512: row.sha512 }
}

export async function removeStaging(trx: Trx, imageId: string): Promise<void> {
  await trx.deleteFrom('image_stagings').where('image_id', '=', imageId).execute()
}

export async function insertTask(trx: Trx, task: Task): Promise<void> {
  await trx
    .insertInto('image_tasks')
    .values({
      id: task.id,
      image_id: task.imageId,
      type: task.type,
      status: task.status,
      owner: task.owner,
      user_id: task.userId,
      request_id: task.requestId,
      input: JSON.stringify(task.input),
      result: task.result === null ? null : JSON.stringify(task.result),
      message: task.message,
      created_at: task.createdAt,
      updated_at: task.updatedAt,
      expires_at: task.expiresAt,
      detail: task.detail === null ? null : JSON.stringify(task.detail),
    })
    .execute()
}

/** Writes how far it is; one that has ended stays as it ended. */
export async function moveTask(
  trx: Trx,
  id: string,
  to: Pick<Task, 'status' | 'result' | 'message' | 'updatedAt' | 'expiresAt'>,
): Promise<void> {
  await trx
    .updateTable('image_tasks')
    .set({
      status: to.status,
      result: to.result === null ? null : JSON.stringify(to.result),
      message: to.message,
      updated_at: to.updatedAt,
      expires_at: to.expiresAt,
    })
    .where('id', '=', id)
    .where('status', 'in', ['pending', 'processing'])
    .execute()
}

export async function findTask(db: Db, id: string): Promise<Task | undefined> {
  const row = await db.selectFrom('image_tasks').selectAll().where('id', '=', id).executeTakeFirst()
  return row && taskOf(row)
}

/** Has something that is to be done with the image not ended? */
export async function isBusy(db: Db, imageId: string): Promise<boolean> {
  const row = await db
    .selectFrom('image_tasks')
    .select('id')
    .where('image_id', '=', imageId)
    .where('status', 'in', ['pending', 'processing'])
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** Those that have not ended, the oldest first. */
export async function openTasks(db: Db, limit: number): Promise<Task[]> {
  const rows = await db
    .selectFrom('image_tasks')
    .selectAll()
    .where('status', 'in', ['pending', 'processing'])
    .orderBy('created_at')
    .limit(limit)
    .execute()
  return rows.map(taskOf)
}

export async function tasksOf(db: Db, imageId: string): Promise<Task[]> {
  const rows = await db
    .selectFrom('image_tasks')
    .selectAll()
    .where('image_id', '=', imageId)
    .orderBy('created_at')
    .execute()
  return rows.map(taskOf)
}

/** Forgets what ended long ago; says how many. */
export async function removeExpiredTasks(trx: Trx, now: string): Promise<number> {
  const { numDeletedRows } = await trx.deleteFrom('image_tasks').where('expires_at', '<', now).executeTakeFirst()
  return Number(numDeletedRows)
}

export const taskSortKeys = ['created_at', 'updated_at', 'status', 'type', 'id'] as const

export interface TaskQuery {
  status: TaskStatus | undefined
  type: string | undefined
  sortKey: (typeof taskSortKeys)[number]
  direction: 'asc' | 'desc'
  after: Task | undefined
  limit: number
}

/** A page of all projects' tasks. */
export async function listTasks(
  db: Db,
  { status, type, sortKey, direction, after, limit }: TaskQuery,
): Promise<Task[]> {
  let rows = db.selectFrom('image_tasks').selectAll()
  if (status !== undefined) rows = rows.where('status', '=', status)
  if (type !== undefined) rows = rows.where('type', '=', type)
  if (after) {
    const beyond = direction === 'asc' ? '>' : '<'
    const { createdAt: created_at, updatedAt: updated_at } = after
    const last = { created_at, updated_at, status: after.status, type: after.type, id: after.id }[sortKey]
    rows = rows.where((eb) =>
      eb.or([eb(sortKey, beyond, last), eb.and([eb(sortKey, '=', last), eb('id', beyond, after.id)])]),
    )
  }
  rows = rows.orderBy(sortKey, direction)
  if (sortKey !== 'id') rows = rows.orderBy('id', direction)
  return (await rows.limit(limit).execute()).map(taskOf)
}
