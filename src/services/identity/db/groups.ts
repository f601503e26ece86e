import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import { inChunks, objectOf, onPage, type Page } from './lists.ts'
import type { GroupsTable } from './tables.ts'

export interface Group {
  readonly id: string
  readonly domainId: string
  readonly name: string
  readonly description: string
  readonly extra: Readonly<Record<string, unknown>>
}

const fromRow = (row: Selectable<GroupsTable>): Group => ({
  id: row.id,
  domainId: row.domain_id,
  name: row.name,
  description: row.description,
  extra: objectOf(row.extra),
})

const toRow = (group: Group): GroupsTable => ({
  id: group.id,
  domain_id: group.domainId,
  name: group.name,
  description: group.description,
  extra: JSON.stringify(group.extra),
})

export async function find(db: Db, id: string): Promise<Group | undefined> {
  const row = await db.selectFrom('identity_groups').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

export async function findByName(db: Db, domainId: string, name: string): Promise<Group | undefined> {
  const row = await db
    .selectFrom('identity_groups')
    .selectAll()
    .where('domain_id', '=', domainId)
    .where('name', '=', name)
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function findAll(db: Db, ids: readonly string[]): Promise<Group[]> {
  const rows = await inChunks(ids, (some) =>
    db.selectFrom('identity_groups').selectAll().where('id', 'in', some).orderBy('id').execute(),
  )
  return rows.map(fromRow)
}

export async function list(db: Db, page: Page): Promise<Group[]> {
  let query = db.selectFrom('identity_groups').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

export async function listOfUser(db: Db, userId: string, page: Page): Promise<Group[]> {
  let query = db
    .selectFrom('identity_groups')
    .selectAll()
    .where('id', 'in', (eb) => eb.selectFrom('identity_memberships').select('group_id').where('user_id', '=', userId))
    .where(onPage(page))
    .orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

/** False when the domain already has a group of that name. */
export async function insert(db: Db, group: Group): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_groups')
    .values(toRow(group))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** The caller has made sure of the name. */
export async function update(db: Db, group: Group): Promise<void> {
  const { id, ...columns } = toRow(group)
  await db.updateTable('identity_groups').set(columns).where('id', '=', id).execute()
}

export async function remove(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await db.deleteFrom('identity_memberships').where('group_id', 'in', ids).execute()
  await db.deleteFrom('identity_groups').where('id', 'in', ids).execute()
}

export async function idsInDomain(db: Db, domainId: string): Promise<string[]> {
  const rows = await db.selectFrom('identity_groups').select('id').where('domain_id', '=', domainId).execute()
  return rows.map((row) => row.id)
}

/** Repeatable. */
export async function addMember(db: Db, groupId: string, userId: string): Promise<void> {
  await db
    .insertInto('identity_memberships')
    .values({ group_id: groupId, user_id: userId })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** False when the user was no member. */
export async function removeMember(db: Db, groupId: string, userId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('identity_memberships')
    .where('group_id', '=', groupId)
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return numDeletedRows === 1n
}

export async function isMember(db: Db, groupId: string, userId: string): Promise<boolean> {
  const row = await db
    .selectFrom('identity_memberships')
    .select('user_id')
    .where('group_id', '=', groupId)
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return row !== undefined
}

/** Group id → its members' ids. */
export async function membersOf(db: Db, groupIds: readonly string[]): Promise<Map<string, string[]>> {
  const members = new Map<string, string[]>(groupIds.map((id) => [id, []]))
  const rows = await inChunks(groupIds, (some) =>
    db.selectFrom('identity_memberships').selectAll().where('group_id', 'in', some).execute(),
  )
  for (const row of rows) members.get(row.group_id)?.push(row.user_id)
  return members
}

export async function idsOfUser(db: Db, userId: string): Promise<string[]> {
  const rows = await db.selectFrom('identity_memberships').select('group_id').where('user_id', '=', userId).execute()
  return rows.map((row) => row.group_id)
}
