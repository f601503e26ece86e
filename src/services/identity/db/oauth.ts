import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import { objectOf, onPage, type Page } from './lists.ts'
import type { AccessTokensTable, ConsumersTable, RequestTokensTable } from './oauth-tables.ts'

export interface Consumer {
  readonly id: string
  /** Encrypted, as in the other two. */
  readonly sealed: string
  readonly description: string | null
  readonly extra: Readonly<Record<string, unknown>>
}

export interface RequestToken {
  readonly id: string
  readonly sealed: string
  readonly consumerId: string
  readonly projectId: string
  /** What somebody said yes to; null until then. */
  readonly granted: { readonly userId: string; readonly verifier: string; readonly roleIds: readonly string[] } | null
  readonly expiresAtMs: number
}

export interface AccessToken {
  readonly id: string
  readonly sealed: string
  readonly consumerId: string
  readonly projectId: string
  readonly userId: string
  readonly roleIds: readonly string[]
  readonly expiresAtMs: number
}

const idsOf = (text: string): string[] => JSON.parse(text) as string[]

const consumerOf = (row: Selectable<ConsumersTable>): Consumer => ({
  id: row.id,
  sealed: row.secret,
  description: row.description,
  extra: objectOf(row.extra),
})

const requestOf = (row: Selectable<RequestTokensTable>): RequestToken => ({
  id: row.id,
  sealed: row.secret,
  consumerId: row.consumer_id,
  projectId: row.project_id,
  granted:
    row.user_id === null || row.verifier === null || row.role_ids === null
      ? null
      : { userId: row.user_id, verifier: row.verifier, roleIds: idsOf(row.role_ids) },
  expiresAtMs: Number(row.expires_at_ms),
})

const accessOf = (row: Selectable<AccessTokensTable>): AccessToken => ({
  id: row.id,
  sealed: row.secret,
  consumerId: row.consumer_id,
  projectId: row.project_id,
  userId: row.user_id,
  roleIds: idsOf(row.role_ids),
  expiresAtMs: Number(row.expires_at_ms),
})

export async function findConsumer(db: Db, id: string): Promise<Consumer | undefined> {
  const row = await db.selectFrom('identity_consumers').selectAll().where('id', '=', id).executeTakeFirst()
  return row && consumerOf(row)
}

export async function listConsumers(db: Db, page: Page): Promise<Consumer[]> {
  let query = db.selectFrom('identity_consumers').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(consumerOf)
}

export async function insertConsumer(db: Db, { id, sealed, description, extra }: Consumer): Promise<void> {
  await db
    .insertInto('identity_consumers')
    .values({ id, secret: sealed, description, extra: JSON.stringify(extra) })
    .execute()
}

export async function updateConsumer(db: Db, { id, description, extra }: Consumer): Promise<void> {
  await db
    .updateTable('identity_consumers')
    .set({ description, extra: JSON.stringify(extra) })
    .where('id', '=', id)
    .execute()
}

/** With its tokens. */
export async function removeConsumer(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_consumers').where('id', '=', id).execute()
}

export async function findRequest(db: Db, id: string): Promise<RequestToken | undefined> {
  const row = await db.selectFrom('identity_request_tokens').selectAll().where('id', '=', id).executeTakeFirst()
  return row && requestOf(row)
}

export async function insertRequest(db: Db, token: Omit<RequestToken, 'granted'>): Promise<void> {
  await db
    .insertInto('identity_request_tokens')
    .values({
      id: token.id,
      secret: token.sealed,
      consumer_id: token.consumerId,
      project_id: token.projectId,
      user_id: null,
      verifier: null,
      role_ids: null,
      expires_at_ms: token.expiresAtMs,
    })
    .execute()
}

export async function grantRequest(db: Db, id: string, granted: NonNullable<RequestToken['granted']>): Promise<void> {
  const { userId, verifier, roleIds } = granted
  await db
    .updateTable('identity_request_tokens')
    .set({ user_id: userId, verifier, role_ids: JSON.stringify(roleIds) })
    .where('id', '=', id)
    .execute()
}

/** False when another was faster: a request token is used once. */
export async function removeRequest(db: Db, id: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('identity_request_tokens').where('id', '=', id).executeTakeFirst()
  return numDeletedRows === 1n
}

export async function removeExpired(db: Db, ms: number): Promise<void> {
  await db.deleteFrom('identity_request_tokens').where('expires_at_ms', '<', ms).execute()
  await db.deleteFrom('identity_access_tokens').where('expires_at_ms', '<', ms).execute()
}

export async function findAccess(db: Db, id: string): Promise<AccessToken | undefined> {
  const row = await db.selectFrom('identity_access_tokens').selectAll().where('id', '=', id).executeTakeFirst()
  return row && accessOf(row)
}

export async function listAccessOf(db: Db, who: { userId?: string; consumerId?: string }): Promise<AccessToken[]> {
  let query = db.selectFrom('identity_access_tokens').selectAll()
  if (who.userId !== undefined) query = query.where('user_id', '=', who.userId)
  if (who.consumerId !== undefined) query = query.where('consumer_id', '=', who.consumerId)
  return (await query.orderBy('id').execute()).map(accessOf)
}

export async function insertAccess(db: Db, token: AccessToken): Promise<void> {
  await db
    .insertInto('identity_access_tokens')
    .values({
      id: token.id,
      secret: token.sealed,
      consumer_id: token.consumerId,
      project_id: token.projectId,
      user_id: token.userId,
      role_ids: JSON.stringify(token.roleIds),
      expires_at_ms: token.expiresAtMs,
    })
    .execute()
}

export async function removeAccess(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_access_tokens').where('id', '=', id).execute()
}
