import { createHash, createHmac } from 'node:crypto'
import type { Database, Db } from '../db/database.ts'
import { CloudError } from '../errors.ts'
import { newSecret } from '../ids.ts'

/** A host that was let in by a token. */
export interface Member {
  host: string
  joinedAt: string
}

/** How long a token may be used. */
export const tokenLifeMs = 3_600_000

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

/** A word that lets one host in, once. Only its hash is kept. */
export async function newToken(database: Database, host: string, nowMs: number): Promise<string> {
  const token = newSecret(24)
  await database.write(async (trx) => {
    await trx.deleteFrom('host_tokens').where('expires_at_ms', '<', nowMs).execute()
    await trx
      .insertInto('host_tokens')
      .values({ token_hash: hashOf(token), host, expires_at_ms: nowMs + tokenLifeMs })
      .execute()
  })
  return token
}

/** Uses a token up. One that joins again gets a new password, and its old one is none any more. @throws CloudError `unauthorized` */
export async function join(database: Database, token: string, nowMs: number, now: string): Promise<Member> {
  return await database.write(async (trx) => {
    const row = await trx
      .deleteFrom('host_tokens')
      .where('token_hash', '=', hashOf(token))
      .returningAll()
      .executeTakeFirst()
    if (!row || row.expires_at_ms < nowMs)
      throw new CloudError('unauthorized', 'this token is not known, was used already, or is older than an hour')
    await trx
      .insertInto('host_members')
      .values({ host: row.host, joined_at: now })
      .onConflict((conflict) => conflict.column('host').doUpdateSet({ joined_at: now }))
      .execute()
    return { host: row.host, joinedAt: now }
  })
}

export async function members(db: Db): Promise<Member[]> {
  const rows = await db.selectFrom('host_members').selectAll().orderBy('host').execute()
  return rows.map((row) => ({ host: row.host, joinedAt: row.joined_at }))
}

/** What a host says on the bus to be taken in: made from the cloud's secret, so that none is kept. */
export const passwordOf = (secret: string, { host, joinedAt }: Member): string =>
  createHmac('sha256', secret).update(`bus ${host} ${joinedAt}`).digest('base64url')
