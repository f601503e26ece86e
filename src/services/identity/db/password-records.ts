import type { Db } from '../../../platform/db/database.ts'
import './password-tables.ts'

/** Hashes of the passwords a user had, the latest first. */
export async function former(db: Db, userId: string, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('identity_former_passwords')
    .select('password_hash')
    .where('user_id', '=', userId)
    .orderBy('replaced_at_ms', 'desc')
    .limit(limit)
    .execute()
  return rows.map((row) => row.password_hash)
}

/** Remembers a password that has just been replaced, and forgets all but the latest `keep`. */
export async function remember(db: Db, userId: string, hash: string, atMs: number, keep: number): Promise<void> {
  await db
    .insertInto('identity_former_passwords')
    .values({ user_id: userId, password_hash: hash, replaced_at_ms: atMs })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  await db
    .deleteFrom('identity_former_passwords')
    .where('user_id', '=', userId)
    .where('password_hash', 'not in', (eb) =>
      eb
        .selectFrom('identity_former_passwords')
        .select('password_hash')
        .where('user_id', '=', userId)
        .orderBy('replaced_at_ms', 'desc')
        .limit(keep),
    )
    .execute()
}

/** Failed log-ins in a row. */
export async function failures(db: Db, userId: string): Promise<{ count: number; lastAtMs: number }> {
  const row = await db
    .selectFrom('identity_failed_log_ins')
    .selectAll()
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return { count: row?.failures ?? 0, lastAtMs: Number(row?.last_at_ms ?? 0) }
}

export async function countFailure(db: Db, userId: string, atMs: number): Promise<void> {
  await db
    .insertInto('identity_failed_log_ins')
    .values({ user_id: userId, failures: 1, last_at_ms: atMs })
    .onConflict((conflict) =>
      conflict
        .column('user_id')
        .doUpdateSet((eb) => ({ failures: eb('identity_failed_log_ins.failures', '+', 1), last_at_ms: atMs })),
    )
    .execute()
}

export async function forgetFailures(db: Db, userId: string): Promise<void> {
  await db.deleteFrom('identity_failed_log_ins').where('user_id', '=', userId).execute()
}
