import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { ApplicationCredentialsTable } from './delegation-tables.ts'
import { flag, onPage, type Page } from './lists.ts'

export interface ApplicationCredential {
  readonly id: string
  readonly userId: string
  readonly name: string
  readonly projectId: string
  readonly description: string | null
  readonly secretHash: string
  /** ISO 8601. */
  readonly expiresAt: string | null
  readonly unrestricted: boolean
  readonly roleIds: readonly string[]
}

const fromRow = (row: Selectable<ApplicationCredentialsTable>): ApplicationCredential => ({
  id: row.id,
  userId: row.user_id,
  name: row.name,
  projectId: row.project_id,
  description: row.description,
  secretHash: row.secret_hash,
  expiresAt: row.expires_at,
  unrestricted: row.unrestricted === 1,
  roleIds: JSON.parse(row.roles) as string[],
})

export async function find(db: Db, id: string): Promise<ApplicationCredential | undefined> {
  const row = await db
    .selectFrom('identity_application_credentials')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function findByName(db: Db, userId: string, name: string): Promise<ApplicationCredential | undefined> {
  const row = await db
    .selectFrom('identity_application_credentials')
    .selectAll()
    .where('user_id', '=', userId)
    .where('name', '=', name)
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function list(db: Db, userId: string, page: Page): Promise<ApplicationCredential[]> {
  let query = db
    .selectFrom('identity_application_credentials')
    .selectAll()
    .where('user_id', '=', userId)
    .where(onPage(page))
    .orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

/** False when the user already has one of that name. */
export async function insert(
  db: Db,
  credential: ApplicationCredential,
  accessRuleIds: readonly string[],
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_application_credentials')
    .values({
      id: credential.id,
      user_id: credential.userId,
      name: credential.name,
      project_id: credential.projectId,
      description: credential.description,
      secret_hash: credential.secretHash,
      expires_at: credential.expiresAt,
      unrestricted: flag(credential.unrestricted),
      roles: JSON.stringify(credential.roleIds),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  if (numInsertedOrUpdatedRows !== 1n) return false
  for (const id of accessRuleIds)
    await db
      .insertInto('identity_application_credential_rules')
      .values({ application_credential_id: credential.id, access_rule_id: id })
      .execute()
  return true
}

/** False when there was none. */
export async function remove(db: Db, id: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('identity_application_credentials')
    .where('id', '=', id)
    .executeTakeFirst()
  return numDeletedRows === 1n
}

/** With their access rules. */
export async function removeOfUsers(db: Db, userIds: readonly string[]): Promise<void> {
  if (userIds.length === 0) return
  await db.deleteFrom('identity_application_credentials').where('user_id', 'in', userIds).execute()
  await db.deleteFrom('identity_access_rules').where('user_id', 'in', userIds).execute()
}

export async function removeOfProjects(db: Db, projectIds: readonly string[]): Promise<void> {
  if (projectIds.length > 0)
    await db.deleteFrom('identity_application_credentials').where('project_id', 'in', projectIds).execute()
}

/** The ids of those that were there. */
export async function removeOfUserIn(db: Db, userId: string, projectId: string): Promise<string[]> {
  const rows = await db
    .deleteFrom('identity_application_credentials')
    .where('user_id', '=', userId)
    .where('project_id', '=', projectId)
    .returning('id')
    .execute()
  return rows.map(({ id }) => id)
}
