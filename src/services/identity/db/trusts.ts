import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { TrustsTable } from './delegation-tables.ts'
import { flag, onPage, type Page } from './lists.ts'

export interface Trust {
  readonly id: string
  readonly trustorId: string
  readonly trusteeId: string
  readonly projectId: string | null
  readonly impersonation: boolean
  readonly roleIds: readonly string[]
  /** ISO 8601. */
  readonly expiresAt: string | null
  readonly remainingUses: number | null
  readonly redelegationCount: number
  readonly redelegatedTrustId: string | null
}

const fromRow = (row: Selectable<TrustsTable>): Trust => ({
  id: row.id,
  trustorId: row.trustor_user_id,
  trusteeId: row.trustee_user_id,
  projectId: row.project_id,
  impersonation: row.impersonation === 1,
  roleIds: JSON.parse(row.roles) as string[],
  expiresAt: row.expires_at,
  remainingUses: row.remaining_uses,
  redelegationCount: row.redelegation_count,
  redelegatedTrustId: row.redelegated_trust_id,
})

export async function find(db: Db, id: string): Promise<Trust | undefined> {
  const row = await db.selectFrom('identity_trusts').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

export async function list(db: Db, page: Page): Promise<Trust[]> {
  let query = db.selectFrom('identity_trusts').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

export async function insert(db: Db, trust: Trust): Promise<void> {
  await db
    .insertInto('identity_trusts')
    .values({
      id: trust.id,
      trustor_user_id: trust.trustorId,
      trustee_user_id: trust.trusteeId,
      project_id: trust.projectId,
      impersonation: flag(trust.impersonation),
      roles: JSON.stringify(trust.roleIds),
      expires_at: trust.expiresAt,
      remaining_uses: trust.remainingUses,
      redelegation_count: trust.redelegationCount,
      redelegated_trust_id: trust.redelegatedTrustId,
    })
    .execute()
}

/** Takes one of a bounded number of uses; false when none is left, or the trust is gone. */
export async function use(db: Db, id: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('identity_trusts')
    .set((eb) => ({ remaining_uses: eb('remaining_uses', '-', 1) }))
    .where('id', '=', id)
    .where('remaining_uses', '>', 0)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** With those made from it; the ids of all. */
export async function removeTree(db: Db, id: string): Promise<string[]> {
  const ids = [id]
  for (const each of ids) {
    const rows = await db.selectFrom('identity_trusts').select('id').where('redelegated_trust_id', '=', each).execute()
    ids.push(...rows.map((row) => row.id)) // also visited
  }
  await db.deleteFrom('identity_trusts').where('id', 'in', ids).execute()
  return ids
}

export async function removeOfUsers(db: Db, userIds: readonly string[]): Promise<void> {
  if (userIds.length === 0) return
  await db.deleteFrom('identity_trusts').where('trustor_user_id', 'in', userIds).execute()
  await db.deleteFrom('identity_trusts').where('trustee_user_id', 'in', userIds).execute()
}

export async function removeOfProjects(db: Db, projectIds: readonly string[]): Promise<void> {
  if (projectIds.length > 0) await db.deleteFrom('identity_trusts').where('project_id', 'in', projectIds).execute()
}
