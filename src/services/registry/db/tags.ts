import type { Db, Trx } from '../../../platform/db/database.ts'

const sortKey = (tag: string): string => Buffer.from(tag).toString('hex')

export async function find(db: Db, repository: string, tag: string): Promise<string | null> {
  const row = await db
    .selectFrom('registry_tags')
    .select('digest')
    .where('repository', '=', repository)
    .where('tag', '=', tag)
    .executeTakeFirst()
  return row?.digest ?? null
}

export async function put(trx: Trx, repository: string, tag: string, digest: string, now: string): Promise<void> {
  await trx
    .insertInto('registry_tags')
    .values({ repository, tag, sort_key: sortKey(tag), digest, updated_at: now })
    .onConflict((conflict) => conflict.columns(['repository', 'tag']).doUpdateSet({ digest, updated_at: now }))
    .execute()
}

/** False when there was none. */
export async function remove(trx: Trx, repository: string, tag: string): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('registry_tags')
    .where('repository', '=', repository)
    .where('tag', '=', tag)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

/** In the order of their bytes, those behind `after`, which need not exist. */
export async function list(
  db: Db,
  repository: string,
  { after, limit }: { after: string | null; limit: number | null },
): Promise<string[]> {
  let query = db
    .selectFrom('registry_tags')
    .select('tag')
    .where('repository', '=', repository)
    .where('sort_key', '>', after === null ? '' : sortKey(after))
    .orderBy('sort_key')
  if (limit !== null) query = query.limit(limit)
  return (await query.execute()).map(({ tag }) => tag)
}
