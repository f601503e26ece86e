import type { Db, Trx } from '../../../platform/db/database.ts'

export interface Upload {
  id: string
  repository: string
  size: number
}

export interface Part {
  key: string
  start: number
  size: number | null
  sha256: string | null
}

export async function insert(trx: Trx, { id, repository }: Pick<Upload, 'id' | 'repository'>, nowMs: number) {
  await trx.insertInto('registry_uploads').values({ id, repository, size: 0, touched_ms: nowMs }).execute()
}

export async function find(db: Db, repository: string, id: string): Promise<Upload | null> {
  const row = await db
    .selectFrom('registry_uploads')
    .select('size')
    .where('id', '=', id)
    .where('repository', '=', repository)
    .executeTakeFirst()
  return row ? { id, repository, size: Number(row.size) } : null
}

/** Its parts in order. */
export async function parts(db: Db, uploadId: string): Promise<Part[]> {
  const rows = await db
    .selectFrom('registry_upload_parts')
    .select(['key', 'start', 'size', 'sha256'])
    .where('upload_id', '=', uploadId)
    .orderBy('start')
    .execute()
  return rows.map((row) => ({ ...row, start: Number(row.start), size: row.size === null ? null : Number(row.size) }))
}

/** Names a file before it exists. */
export async function addPart(
  trx: Trx,
  part: { key: string; uploadId: string; start: number; uploader: string },
  nowMs: number,
): Promise<void> {
  const { key, uploadId, start, uploader } = part
  await trx
    .insertInto('registry_upload_parts')
    .values({ key, upload_id: uploadId, start, size: null, sha256: null, uploader })
    .execute()
  await touch(trx, uploadId, nowMs)
}

/** False when the upload was cancelled meanwhile. */
export async function endPart(
  trx: Trx,
  { key, uploadId, size, sha256 }: { key: string; uploadId: string; size: number; sha256: string },
  nowMs: number,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('registry_upload_parts')
    .set({ size, sha256 })
    .where('key', '=', key)
    .where('upload_id', '=', uploadId)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return false
  await trx
    .updateTable('registry_uploads')
    .set((eb) => ({ size: eb('size', '+', size), touched_ms: nowMs }))
    .where('id', '=', uploadId)
    .execute()
  return true
}

async function touch(trx: Trx, id: string, nowMs: number): Promise<void> {
  await trx.updateTable('registry_uploads').set({ touched_ms: nowMs }).where('id', '=', id).execute()
}

export async function removePart(trx: Trx, key: string): Promise<void> {
  await trx.deleteFrom('registry_upload_parts').where('key', '=', key).execute()
}

/** Repeatable; its parts go with it. */
export async function remove(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('registry_upload_parts').where('upload_id', '=', id).execute()
  await trx.deleteFrom('registry_uploads').where('id', '=', id).execute()
}

/** Forgets what `uploader` was writing, but for `live`: what an earlier process of it left. */
export async function dropPartsOf(trx: Trx, uploader: string, live: readonly string[]): Promise<number> {
  let query = trx.deleteFrom('registry_upload_parts').where('uploader', '=', uploader).where('size', 'is', null)
  if (live.length > 0) query = query.where('key', 'not in', [...live])
  return Number((await query.executeTakeFirst()).numDeletedRows)
}

/** Forgets uploads that nobody went on with since `beforeMs` and that nothing is being written to. */
export async function expire(trx: Trx, beforeMs: number): Promise<number> {
  const rows = await trx
    .selectFrom('registry_uploads')
    .select('id')
    .where('touched_ms', '<', beforeMs)
    .where('id', 'not in', (eb) => eb.selectFrom('registry_upload_parts').select('upload_id').where('size', 'is', null))
    .limit(500)
    .execute()
  for (const { id } of rows) await remove(trx, id)
  return rows.length
}

/** How many `expire` would forget. */
export async function expired(db: Db, beforeMs: number): Promise<number> {
  const { count } = await db
    .selectFrom('registry_uploads')
    .select(({ fn }) => fn.countAll<number | string>().as('count'))
    .where('touched_ms', '<', beforeMs)
    .where('id', 'not in', (eb) => eb.selectFrom('registry_upload_parts').select('upload_id').where('size', 'is', null))
    .executeTakeFirstOrThrow()
  return Number(count)
}
