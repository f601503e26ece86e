import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { ConsoleTokensTable } from './tables.ts'

export type ConsoleToken = Selectable<ConsoleTokensTable>

/** And forgets those that are good for nothing any more. */
export async function insert(db: Db, token: ConsoleToken, nowMs: number): Promise<void> {
  await db.deleteFrom('compute_console_tokens').where('expires_at_ms', '<=', nowMs).execute()
  await db.insertInto('compute_console_tokens').values(token).execute()
}

export async function find(db: Db, hash: string, nowMs: number): Promise<ConsoleToken | undefined> {
  return await db
    .selectFrom('compute_console_tokens')
    .selectAll()
    .where('hash', '=', hash)
    .where('expires_at_ms', '>', nowMs)
    .executeTakeFirst()
}
