import type { Digest } from '../../../platform/blobs/blobs.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'

export interface Blob {
  digest: Digest
  mediaType: string
  offset: number
  size: number
}

export interface Manifest {
  digest: string
  mediaType: string
  content: string
}

/** Where a blob's bytes are. */
export interface Placed {
  blobKey: string
  offset: number
  size: number
}

const manifestColumns = ({ digest, mediaType, content }: Manifest) => ({
  digest,
  media_type: mediaType,
  content,
  subject: null,
  artifact_type: null,
  annotations: null,
})

/** Inserts what one repository serves. @throws a unique violation when it is there already. */
export async function insert(
  trx: Trx,
  repository: string,
  { manifest, blobs }: { manifest: Manifest; blobs: readonly (Blob & { blobKey: string })[] },
): Promise<void> {
  await trx
    .insertInto('registry_manifests')
    .values({ repository, ...manifestColumns(manifest) })
    .execute()
  const rows = blobs.map(({ digest, mediaType, offset, size, blobKey }) => ({
    repository,
    digest,
    media_type: mediaType,
    blob_key: blobKey,
    blob_offset: offset,
    size,
    touched_ms: null,
  }))
  if (rows.length > 0) await trx.insertInto('registry_blobs').values(rows).execute()
}

/** Repeatable. */
export async function remove(trx: Trx, repository: string): Promise<void> {
  await trx.deleteFrom('registry_manifests').where('repository', '=', repository).execute()
  await trx.deleteFrom('registry_blobs').where('repository', '=', repository).execute()
}

/** Makes one manifest of `from` and `digests`, its blobs, available in `to` too. Nothing is copied but rows. */
export async function link(
  trx: Trx,
  { from, to, manifest, digests }: { from: string; to: string; manifest: string; digests: readonly string[] },
): Promise<void> {
  const found = await findManifest(trx, from, manifest)
  if (!found) throw new Error(`There is no manifest ${manifest} in ${from}`)
  await trx
    .insertInto('registry_manifests')
    .values({ repository: to, ...manifestColumns(found) })
    .execute()
  const rows = await trx
    .selectFrom('registry_blobs')
    .selectAll()
    .where('repository', '=', from)
    .where('digest', 'in', [...digests])
    .execute()
  if (rows.length === 0) return
  const values = rows.map((row) => ({ ...row, repository: to, touched_ms: null }))
  await trx.insertInto('registry_blobs').values(values).execute()
}

export async function findManifest(db: Db, repository: string, digest: string): Promise<Manifest | null> {
  const row = await db
    .selectFrom('registry_manifests')
    .select(['digest', 'media_type', 'content'])
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .executeTakeFirst()
  return row ? { digest: row.digest, mediaType: row.media_type, content: row.content } : null
}

export async function findBlob(
  db: Db,
  repository: string,
  digest: string,
): Promise<(Placed & { digest: string; touchedMs: number | null }) | null> {
  const row = await db
    .selectFrom('registry_blobs')
    .selectAll()
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .executeTakeFirst()
  if (!row) return null
  return {
    digest: row.digest,
    blobKey: row.blob_key,
    offset: Number(row.blob_offset), // PostgreSQL's bigint may arrive as text
    size: Number(row.size),
    touchedMs: row.touched_ms === null ? null : Number(row.touched_ms),
  }
}

export async function exists(db: Db, repository: string): Promise<boolean> {
  const query = db.selectFrom('registry_manifests').select('digest').where('repository', '=', repository)
  return (await query.limit(1).executeTakeFirst()) !== undefined
}

export async function digests(db: Db, repository: string): Promise<string[]> {
  const rows = await db.selectFrom('registry_blobs').select('digest').where('repository', '=', repository).execute()
  return rows.map(({ digest }) => digest)
}

/** What was in the file `from` is in `to` now, at the same places. */
export async function moved(trx: Trx, from: string, to: string): Promise<void> {
  await trx.updateTable('registry_blobs').set({ blob_key: to }).where('blob_key', '=', from).execute()
}

/** Blobs with bytes in a file, each once. */
export async function inFile(db: Db, key: string): Promise<{ digest: string; offset: number; size: number }[]> {
  const rows = await db
    .selectFrom('registry_blobs')
    .select(['digest', 'blob_offset', 'size'])
    .distinct()
    .where('blob_key', '=', key)
    .execute()
  return rows.map(({ digest, blob_offset, size }) => ({ digest, offset: Number(blob_offset), size: Number(size) }))
}

/** Blobs of `digest` in the file `from` have their bytes at `to` now. False when there are none any more. */
export async function moveBlob(trx: Trx, digest: string, from: string, to: Placed): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('registry_blobs')
    .set({ blob_key: to.blobKey, blob_offset: to.offset })
    .where('digest', '=', digest)
    .where('blob_key', '=', from)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Blobs that were pushed one by one have their bytes in this file from now on; their own files are swept. */
export async function prefer(trx: Trx, key: string, blobs: readonly Blob[]): Promise<void> {
  for (const { digest, offset } of blobs)
    await trx
      .updateTable('registry_blobs')
      .set({ blob_key: key, blob_offset: offset })
      .where('digest', '=', digest)
      .where('blob_key', 'like', 'push-%')
      .execute()
}

/** Serves a manifest of blobs that `repository` has, or has from now on because `from` does. */
export async function assemble(
  trx: Trx,
  repository: string,
  { manifest, digests, from }: { manifest: Manifest; digests: readonly string[]; from: string | null },
): Promise<void> {
  await trx
    .insertInto('registry_manifests')
    .values({ repository, ...manifestColumns(manifest) })
    .execute()
  const rows = from === null ? [] : await blobRows(trx, from, digests)
  if (rows.length > 0)
    await trx
      .insertInto('registry_blobs')
      .values(rows.map((row) => ({ ...row, repository, touched_ms: null })))
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  await trx.updateTable('registry_blobs').set({ touched_ms: null }).where('repository', '=', repository).execute()
  const there = new Set((await blobRows(trx, repository, digests)).map(({ digest }) => digest))
  const missing = digests.filter((digest) => !there.has(digest))
  if (missing.length > 0) throw new Error(`${repository} lacks ${missing.join(', ')}`)
}

const blobRows = (db: Db, repository: string, digests: readonly string[]) =>
  db
    .selectFrom('registry_blobs')
    .selectAll()
    .where('repository', '=', repository)
    .where('digest', 'in', [...digests])
    .execute()

export async function placesOf(db: Db, digest: string): Promise<Placed[]> {
  const rows = await db
    .selectFrom('registry_blobs')
    .select(['blob_key', 'blob_offset', 'size'])
    .distinct()
    .where('digest', '=', digest)
    .execute()
  return rows.map((row) => ({ blobKey: row.blob_key, offset: Number(row.blob_offset), size: Number(row.size) }))
}

/** The bytes of a digest are here now, for everybody who has it. */
export async function mend(trx: Trx, digest: string, to: Placed): Promise<void> {
  await trx
    .updateTable('registry_blobs')
    .set({ blob_key: to.blobKey, blob_offset: to.offset })
    .where('digest', '=', digest)
    .execute()
}
