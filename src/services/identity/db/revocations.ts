import type { Revocation } from '../../../platform/auth/revocations.ts'
import type { Db } from '../../../platform/db/database.ts'

export interface RevocationRow {
  readonly id: string
  readonly revocation: Revocation
}

const chunk = 500 // rows of a statement: both engines bound the number of parameters

export async function insert(db: Db, rows: readonly RevocationRow[]): Promise<void> {
  for (let at = 0; at < rows.length; at += chunk) {
    await db
      .insertInto('identity_revocations')
      .values(
        rows.slice(at, at + chunk).map(({ id, revocation }) => ({
          id,
          audit_id: revocation.auditId ?? null,
          user_id: revocation.userId ?? null,
          role_id: revocation.roleId ?? null,
          scope: revocation.scope ?? null,
          domain_id: revocation.domainId ?? null,
          issued_before_ms: revocation.issuedBeforeMs,
        })),
      )
      .execute()
  }
}

/** Moves the moment up to which tokens are void. */
export async function extend(db: Db, ids: readonly string[], issuedBeforeMs: number): Promise<void> {
  for (let at = 0; at < ids.length; at += chunk) {
    await db
      .updateTable('identity_revocations')
      .set({ issued_before_ms: issuedBeforeMs })
      .where('id', 'in', ids.slice(at, at + chunk))
      .execute()
  }
}

/** Those made at `sinceMs` or later. */
export async function listSince(db: Db, sinceMs: number): Promise<Revocation[]> {
  const rows = await db
    .selectFrom('identity_revocations')
    .selectAll()
    .where('issued_before_ms', '>=', sinceMs)
    .execute()
  return rows.map((row) => ({
    ...(row.audit_id === null ? {} : { auditId: row.audit_id }),
    ...(row.user_id === null ? {} : { userId: row.user_id }),
    ...(row.role_id === null ? {} : { roleId: row.role_id }),
    ...(row.scope === null ? {} : { scope: row.scope }),
    ...(row.domain_id === null ? {} : { domainId: row.domain_id }),
    issuedBeforeMs: row.issued_before_ms,
  }))
}

/** @returns how many. */
export async function removeBefore(db: Db, ms: number): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('identity_revocations')
    .where('issued_before_ms', '<', ms)
    .executeTakeFirst()
  return Number(numDeletedRows)
}

/** Ids of those made before `ms`. */
export async function listOlder(db: Db, ms: number, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('identity_revocations')
    .select('id')
    .where('issued_before_ms', '<', ms)
    .limit(limit)
    .execute()
  return rows.map((row) => row.id)
}
