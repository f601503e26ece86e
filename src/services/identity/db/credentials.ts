import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { CredentialsTable } from './delegation-tables.ts'
import { objectOf, onPage, type Page } from './lists.ts'

export interface Credential {
  readonly id: string
  readonly userId: string
  readonly projectId: string | null
  readonly type: string
  /** Encrypted. */
  readonly sealed: string
  readonly accessHash: string | null
  readonly extra: Readonly<Record<string, unknown>>
}

const fromRow = (row: Selectable<CredentialsTable>): Credential => ({
  id: row.id,
  userId: row.user_id,
  projectId: row.project_id,
  type: row.type,
  sealed: row.blob,
  accessHash: row.access_hash,
  extra: objectOf(row.extra),
})

const toRow = (credential: Credential): CredentialsTable => ({
  id: credential.id,
  user_id: credential.userId,
  project_id: credential.projectId,
  type: credential.type,
  blob: credential.sealed,
  access_hash: credential.accessHash,
  extra: JSON.stringify(credential.extra),
})

export async function find(db: Db, id: string): Promise<Credential | undefined> {
  const row = await db.selectFrom('identity_credentials').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

/** Of type `ec2`. */
export async function findByAccess(db: Db, accessHash: string): Promise<Credential | undefined> {
  const row = await db
    .selectFrom('identity_credentials')
    .selectAll()
    .where('access_hash', '=', accessHash)
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function list(db: Db, page: Page): Promise<Credential[]> {
  let query = db.selectFrom('identity_credentials').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

export async function listOfUser(db: Db, userId: string, type: string): Promise<Credential[]> {
  const rows = await db
    .selectFrom('identity_credentials')
    .selectAll()
    .where('user_id', '=', userId)
    .where('type', '=', type)
    .orderBy('id')
    .execute()
  return rows.map(fromRow)
}

/** False when the id or the access key is taken. */
export async function insert(db: Db, credential: Credential): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_credentials')
    .values(toRow(credential))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** The caller has made sure of the access key. */
export async function update(db: Db, credential: Credential): Promise<void> {
  const { id, ...columns } = toRow(credential)
  await db.updateTable('identity_credentials').set(columns).where('id', '=', id).execute()
}

/** False when there was none. */
export async function remove(db: Db, id: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('identity_credentials').where('id', '=', id).executeTakeFirst()
  return numDeletedRows === 1n
}

export async function removeOfUsers(db: Db, userIds: readonly string[]): Promise<void> {
  if (userIds.length > 0) await db.deleteFrom('identity_credentials').where('user_id', 'in', userIds).execute()
}

export async function removeOfProjects(db: Db, projectIds: readonly string[]): Promise<void> {
  if (projectIds.length > 0) await db.deleteFrom('identity_credentials').where('project_id', 'in', projectIds).execute()
}
