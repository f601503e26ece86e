import type { Digest } from '../../../platform/blobs/blobs.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'

export interface Blob {
  digest: Digest
  mediaType: string
  offset: number
  size: number
}

export interface Manifest {
  digest: Digest
  mediaType: string
  content: string
}

/** Inserts what one repository serves. @throws a unique violation when it is there already. */
export async function insert(
  trx: Trx,
  repository: string,
  { manifest, blobs, blobKey }: { manifest: Manifest; blobs: readonly Blob[]; blobKey: string },
): Promise<void> {
  await trx
    .insertInto('registry_manifests')
    .values({ repository, digest: manifest.digest, media_type: manifest.mediaType, content: manifest.content })
    .execute()
  const rows = blobs.map(({ digest, mediaType, offset, size }) => ({
    repository,
    digest,
    media_type: mediaType,
    blob_key: blobKey,
    blob_offset: offset,
    size,
  }))
  if (rows.length > 0) await trx.insertInto('registry_blobs').values(rows).execute()
}

/** Repeatable. */
export async function remove(trx: Trx, repository: string): Promise<void> {
  await trx.deleteFrom('registry_manifests').where('repository', '=', repository).execute()
  await trx.deleteFrom('registry_blobs').where('repository', '=', repository).execute()
}

export async function findManifest(db: Db, repository: string, digest: string): Promise<Manifest | null> {
  const row = await db
    .selectFrom('registry_manifests')
    .select(['digest', 'media_type', 'content'])
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .executeTakeFirst()
  return row ? { digest: row.digest as Digest, mediaType: row.media_type, content: row.content } : null
}

export async function findBlob(
  db: Db,
  repository: string,
  digest: string,
): Promise<(Blob & { blobKey: string }) | null> {
  const row = await db
    .selectFrom('registry_blobs')
    .selectAll()
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .executeTakeFirst()
  if (!row) return null
  return {
    digest: row.digest as Digest,
    mediaType: row.media_type,
    blobKey: row.blob_key,
    offset: Number(row.blob_offset), // PostgreSQL's bigint may arrive as text
    size: Number(row.size),
  }
}

export async function exists(db: Db, repository: string): Promise<boolean> {
  const query = db.selectFrom('registry_manifests').select('digest').where('repository', '=', repository)
  return (await query.limit(1).executeTakeFirst()) !== undefined
}
