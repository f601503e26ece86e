import type { Db, Migration, Trx } from '../../../platform/db/database.ts'
import type { Placed } from './repositories.ts'

/** When the bytes of a blob were last held against its digest. */
export interface ScrubsTable {
  digest: string
  checked_ms: number
  is_bad: 0 | 1
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    registry_scrubs: ScrubsTable
  }
}

export const scrubMigration: Migration = {
  name: '0003-scrubs',
  async up(db) {
    await db.schema
      .createTable('registry_scrubs')
      .addColumn('digest', 'text', (c) => c.primaryKey())
      .addColumn('checked_ms', 'bigint', (c) => c.notNull())
      .addColumn('is_bad', 'integer', (c) => c.notNull())
      .execute()
    await db.schema.createIndex('registry_scrubs_bad').on('registry_scrubs').column('is_bad').execute()
  },
}

/** Blobs that were not looked at since `beforeMs`, in the order of their digests behind `after`. */
export async function due(
  db: Db,
  beforeMs: number,
  after: string,
  limit: number,
): Promise<(Placed & { digest: string })[]> {
  const rows = await db
    .selectFrom('registry_blobs as b')
    .leftJoin('registry_scrubs as s', 's.digest', 'b.digest')
    .select(['b.digest', 'b.blob_key', 'b.blob_offset', 'b.size'])
    .where('b.digest', '>', after)
    .where((eb) => eb.or([eb('s.checked_ms', 'is', null), eb('s.checked_ms', '<', beforeMs)]))
    .orderBy('b.digest')
    .limit(limit)
    .execute()
  const each = rows.map((row) => ({
    ...{ digest: row.digest, blobKey: row.blob_key },
    ...{ offset: Number(row.blob_offset), size: Number(row.size) },
  }))
  return [...new Map(each.map((blob) => [blob.digest, blob])).values()]
}

export async function note(trx: Trx, digest: string, isBad: boolean, nowMs: number): Promise<void> {
  const values = { checked_ms: nowMs, is_bad: isBad ? (1 as const) : (0 as const) }
  await trx
    .insertInto('registry_scrubs')
    .values({ digest, ...values })
    .onConflict((conflict) => conflict.column('digest').doUpdateSet(values))
    .execute()
}

export async function isBad(db: Db, digest: string): Promise<boolean> {
  const row = await db.selectFrom('registry_scrubs').select('is_bad').where('digest', '=', digest).executeTakeFirst()
  return row?.is_bad === 1
}

/** Those whose bytes are not what they should be. */
export async function bad(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom('registry_scrubs')
    .select('digest')
    .where('is_bad', '=', 1)
    .orderBy('digest')
    .execute()
  return rows.map(({ digest }) => digest)
}

/** All are due again; says how many. */
export async function reset(trx: Trx): Promise<number> {
  const { numUpdatedRows } = await trx.updateTable('registry_scrubs').set({ checked_ms: 0 }).executeTakeFirst()
  return Number(numUpdatedRows)
}

/** Forgets blobs that are gone. */
export async function prune(trx: Trx): Promise<void> {
  await trx
    .deleteFrom('registry_scrubs')
    .where('digest', 'not in', (eb) => eb.selectFrom('registry_blobs').select('digest'))
    .execute()
}
