import type { Insertable, Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import { flag, inChunks, objectOf, onPage, type Page } from './lists.ts'
import type { UsersTable } from './tables.ts'

export interface User {
  readonly id: string
  readonly domainId: string
  readonly name: string
  readonly enabled: boolean
  readonly defaultProjectId: string | null
  readonly passwordHash: string | null
  /** ISO 8601, as the other two. */
  readonly passwordCreatedAt: string | null
  readonly passwordExpiresAt: string | null
  readonly createdAt: string
  readonly options: Readonly<Record<string, unknown>>
  readonly extra: Readonly<Record<string, unknown>>
}

const fromRow = (row: Selectable<UsersTable>): User => ({
  id: row.id,
  domainId: row.domain_id,
  name: row.name,
  enabled: row.enabled === 1,
  defaultProjectId: row.default_project_id,
  passwordHash: row.password_hash,
  passwordCreatedAt: row.password_created_at,
  passwordExpiresAt: row.password_expires_at,
  createdAt: row.created_at,
  options: objectOf(row.options),
  extra: objectOf(row.extra),
})

const toRow = (user: User): Insertable<UsersTable> => ({
  id: user.id,
  domain_id: user.domainId,
  name: user.name,
  enabled: flag(user.enabled),
  default_project_id: user.defaultProjectId,
  password_hash: user.passwordHash,
  password_created_at: user.passwordCreatedAt,
  password_expires_at: user.passwordExpiresAt,
  created_at: user.createdAt,
  options: JSON.stringify(user.options),
  extra: JSON.stringify(user.extra),
})

export async function find(db: Db, id: string): Promise<User | undefined> {
  const row = await db.selectFrom('identity_users').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

export async function findByName(db: Db, domainId: string, name: string): Promise<User | undefined> {
  const row = await db
    .selectFrom('identity_users')
    .selectAll()
    .where('domain_id', '=', domainId)
    .where('name', '=', name)
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function findAll(db: Db, ids: readonly string[]): Promise<User[]> {
  const rows = await inChunks(ids, (some) =>
    db.selectFrom('identity_users').selectAll().where('id', 'in', some).orderBy('id').execute(),
  )
  return rows.map(fromRow)
}

export async function list(db: Db, page: Page): Promise<User[]> {
  let query = db.selectFrom('identity_users').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

export async function listInGroup(db: Db, groupId: string, page: Page): Promise<User[]> {
  let query = db
    .selectFrom('identity_users')
    .selectAll('identity_users')
    .where('id', 'in', (eb) => eb.selectFrom('identity_memberships').select('user_id').where('group_id', '=', groupId))
    .where(onPage(page))
    .orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

/** False when the domain already has a user of that name. */
export async function insert(db: Db, user: User): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_users')
    .values(toRow(user))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** The caller has made sure of the name. */
export async function update(db: Db, user: User): Promise<void> {
  const { id, ...columns } = toRow(user)
  await db.updateTable('identity_users').set(columns).where('id', '=', id).execute()
}

/** Puts a hash of today's cost in the place of an older one of the same password, unless the password has changed. */
export async function rehash(db: Db, id: string, from: string, to: string): Promise<void> {
  await db
    .updateTable('identity_users')
    .set({ password_hash: to })
    .where('id', '=', id)
    .where('password_hash', '=', from)
    .execute()
}

export async function remove(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await db.deleteFrom('identity_memberships').where('user_id', 'in', ids).execute()
  await db.deleteFrom('identity_users').where('id', 'in', ids).execute()
}

export async function idsInDomain(db: Db, domainId: string): Promise<string[]> {
  const rows = await db.selectFrom('identity_users').select('id').where('domain_id', '=', domainId).execute()
  return rows.map((row) => row.id)
}
