import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import { inChunks, objectOf, onPage, type Page } from './lists.ts'
import type { RolesTable } from './tables.ts'

export interface Role {
  readonly id: string
  /** Null for a global role. */
  readonly domainId: string | null
  readonly name: string
  readonly description: string | null
  readonly options: Readonly<Record<string, unknown>>
  readonly extra: Readonly<Record<string, unknown>>
}

const fromRow = (row: Selectable<RolesTable>): Role => ({
  id: row.id,
  domainId: row.domain_id || null,
  name: row.name,
  description: row.description,
  options: objectOf(row.options),
  extra: objectOf(row.extra),
})

const toRow = (role: Role): RolesTable => ({
  id: role.id,
  domain_id: role.domainId ?? '',
  name: role.name,
  description: role.description,
  options: JSON.stringify(role.options),
  extra: JSON.stringify(role.extra),
})

export async function find(db: Db, id: string): Promise<Role | undefined> {
  const row = await db.selectFrom('identity_roles').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

/** `domainId` null looks among the global roles. */
export async function findByName(db: Db, domainId: string | null, name: string): Promise<Role | undefined> {
  const row = await db
    .selectFrom('identity_roles')
    .selectAll()
    .where('domain_id', '=', domainId ?? '')
    .where('name', '=', name)
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function findAll(db: Db, ids: readonly string[]): Promise<Role[]> {
  const rows = await inChunks(ids, (some) =>
    db.selectFrom('identity_roles').selectAll().where('id', 'in', some).orderBy('id').execute(),
  )
  return rows.map(fromRow)
}

export async function list(db: Db, page: Page): Promise<Role[]> {
  let query = db.selectFrom('identity_roles').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

/** False when there already is a role of that name. */
export async function insert(db: Db, role: Role): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_roles')
    .values(toRow(role))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** The caller has made sure of the name. */
export async function update(db: Db, role: Role): Promise<void> {
  const { id, ...columns } = toRow(role)
  await db.updateTable('identity_roles').set(columns).where('id', '=', id).execute()
}

export async function remove(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await db
    .deleteFrom('identity_implied_roles')
    .where((eb) => eb.or([eb('prior_role_id', 'in', ids), eb('implied_role_id', 'in', ids)]))
    .execute()
  await db.deleteFrom('identity_roles').where('id', 'in', ids).execute()
}

export async function idsInDomain(db: Db, domainId: string): Promise<string[]> {
  const rows = await db.selectFrom('identity_roles').select('id').where('domain_id', '=', domainId).execute()
  return rows.map((row) => row.id)
}

/** Prior role id → the ids it implies directly. There are few: a handful of roles, and their chain. */
export async function implications(db: Db): Promise<Map<string, string[]>> {
  const rows = await db
    .selectFrom('identity_implied_roles')
    .selectAll()
    .orderBy('prior_role_id')
    .orderBy('implied_role_id')
    .execute()
  const implied = new Map<string, string[]>()
  for (const row of rows) {
    const list = implied.get(row.prior_role_id)
    if (list) list.push(row.implied_role_id)
    else implied.set(row.prior_role_id, [row.implied_role_id])
  }
  return implied
}

/** Repeatable. */
export async function imply(db: Db, priorRoleId: string, impliedRoleId: string): Promise<void> {
  await db
    .insertInto('identity_implied_roles')
    .values({ prior_role_id: priorRoleId, implied_role_id: impliedRoleId })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** False when it was not implied. */
export async function implyNoMore(db: Db, priorRoleId: string, impliedRoleId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('identity_implied_roles')
    .where('prior_role_id', '=', priorRoleId)
    .where('implied_role_id', '=', impliedRoleId)
    .executeTakeFirst()
  return numDeletedRows === 1n
}
