import type { Db, Trx } from '../../../platform/db/database.ts'

export interface RefreshToken {
  userId: string
  projectId: string
  provenMs: number
}

export async function insert(trx: Trx, sha256: string, token: RefreshToken, expiresMs: number): Promise<void> {
  await trx
    .insertInto('registry_refresh_tokens')
    .values({
      sha256,
      user_id: token.userId,
      project_id: token.projectId,
      proven_ms: token.provenMs,
      expires_ms: expiresMs,
    })
    .execute()
}

export async function find(db: Db, sha256: string, nowMs: number): Promise<RefreshToken | null> {
  const row = await db
    .selectFrom('registry_refresh_tokens')
    .selectAll()
    .where('sha256', '=', sha256)
    .where('expires_ms', '>', nowMs)
    .executeTakeFirst()
  return row ? { userId: row.user_id, projectId: row.project_id, provenMs: Number(row.proven_ms) } : null
}

export async function prune(trx: Trx, nowMs: number): Promise<number> {
  const { numDeletedRows } = await trx
    .deleteFrom('registry_refresh_tokens')
    .where('expires_ms', '<=', nowMs)
    .executeTakeFirst()
  return Number(numDeletedRows)
}
