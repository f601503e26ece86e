import type { Db, Trx } from '../../../platform/db/database.ts'
import type { Manifest, Placed } from './repositories.ts'

/** What only pushed manifests have. */
export interface Details {
  subject: string | null
  artifactType: string | null
  annotations: Readonly<Record<string, string>> | null
  /** Blobs and manifests it needs. */
  references: readonly string[]
}

export interface Referrer {
  digest: string
  mediaType: string
  size: number
  artifactType: string | null
  annotations: Readonly<Record<string, string>> | null
}

/** Where bytes of this digest are, in whatever repository: there is one copy of them. */
export async function findAnywhere(db: Db, digest: string): Promise<Placed | null> {
  const row = await db
    .selectFrom('registry_blobs')
    .select(['blob_key', 'blob_offset', 'size'])
    .where('digest', '=', digest)
    .limit(1)
    .executeTakeFirst()
  return row ? { blobKey: row.blob_key, offset: Number(row.blob_offset), size: Number(row.size) } : null
}

/** Repeatable: what is there is touched. */
export async function addBlob(trx: Trx, repository: string, digest: string, at: Placed, nowMs: number): Promise<void> {
  await trx
    .insertInto('registry_blobs')
    .values({
      repository,
      digest,
      media_type: 'application/octet-stream',
      blob_key: at.blobKey,
      blob_offset: at.offset,
      size: at.size,
      touched_ms: nowMs,
    })
    .onConflict((conflict) => conflict.columns(['repository', 'digest']).doUpdateSet({ touched_ms: nowMs }))
    .execute()
}

/** False when it is gone. */
export async function touch(trx: Trx, repository: string, digest: string, nowMs: number): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('registry_blobs')
    .set({ touched_ms: nowMs })
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function removeBlob(trx: Trx, repository: string, digest: string): Promise<void> {
  await trx.deleteFrom('registry_blobs').where('repository', '=', repository).where('digest', '=', digest).execute()
}

/** Is any manifest of the repository in need of it? */
export async function isReferenced(db: Db, repository: string, digest: string): Promise<boolean> {
  const row = await db
    .selectFrom('registry_references')
    .select('manifest')
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** Those of `digests` that the repository has as blobs, with their sizes. */
export async function blobsAmong(db: Db, repository: string, digests: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (let i = 0; i < digests.length; i += 500) {
    const rows = await db
      .selectFrom('registry_blobs')
      .select(['digest', 'size'])
      .where('repository', '=', repository)
      .where('digest', 'in', digests.slice(i, i + 500))
      .execute()
    for (const row of rows) found.set(row.digest, Number(row.size))
  }
  return found
}

/** Repeatable. */
export async function putManifest(trx: Trx, repository: string, manifest: Manifest, more: Details): Promise<void> {
  await trx
    .insertInto('registry_manifests')
    .values({
      repository,
      digest: manifest.digest,
      media_type: manifest.mediaType,
      content: manifest.content,
      subject: more.subject,
      artifact_type: more.artifactType,
      annotations: more.annotations ? JSON.stringify(more.annotations) : null,
    })
    .onConflict((conflict) =>
      conflict.columns(['repository', 'digest']).doUpdateSet({ media_type: manifest.mediaType }),
    )
    .execute()
  const rows = [...new Set(more.references)].map((digest) => ({ repository, manifest: manifest.digest, digest }))
  for (let i = 0; i < rows.length; i += 200) {
    await trx
      .insertInto('registry_references')
      .values(rows.slice(i, i + 200))
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}

/** With what it needed, and the tags that named it, which are answered. */
export async function removeManifest(trx: Trx, repository: string, digest: string): Promise<string[]> {
  await trx
    .deleteFrom('registry_references')
    .where('repository', '=', repository)
    .where('manifest', '=', digest)
    .execute()
  await trx.deleteFrom('registry_manifests').where('repository', '=', repository).where('digest', '=', digest).execute()
  const tags = await trx
    .deleteFrom('registry_tags')
    .where('repository', '=', repository)
    .where('digest', '=', digest)
    .returning('tag')
    .execute()
  return tags.map(({ tag }) => tag)
}

/** The newest last, as far as digests tell: always in the same order. */
export async function referrers(db: Db, repository: string, subject: string): Promise<Referrer[]> {
  const rows = await db
    .selectFrom('registry_manifests')
    .select(['digest', 'media_type', 'content', 'artifact_type', 'annotations'])
    .where('repository', '=', repository)
    .where('subject', '=', subject)
    .orderBy('digest')
    .execute()
  return rows.map((row) => ({
    digest: row.digest,
    mediaType: row.media_type,
    size: Buffer.byteLength(row.content),
    artifactType: row.artifact_type,
    annotations: row.annotations ? (JSON.parse(row.annotations) as Record<string, string>) : null,
  }))
}

/** Names of repositories that hold a manifest; `under` is the part before their first slash. Unsorted. */
export async function repositories(db: Db, under: string | null): Promise<string[]> {
  let query = db.selectFrom('registry_manifests').select('repository').distinct()
  // `0` follows `/`: a range, which an index finds, where `like` would read everything.
  if (under !== null) query = query.where('repository', 'like', `${under}/%`)
  return (await query.execute()).map((row) => row.repository)
}

/** Blobs that no manifest of their repository needs and that nobody was told of since `beforeMs`. */
const unneeded = (db: Db, beforeMs: number) =>
  db
    .selectFrom('registry_blobs as b')
    .where('b.touched_ms', '<', beforeMs)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('registry_references as r')
            .select('r.manifest')
            .whereRef('r.repository', '=', 'b.repository')
            .whereRef('r.digest', '=', 'b.digest'),
        ),
      ),
    )

/** Forgets them. */
export async function collect(trx: Trx, beforeMs: number, most: number): Promise<number> {
  const rows = await unneeded(trx, beforeMs).select(['b.repository', 'b.digest']).limit(most).execute()
  for (const { repository, digest } of rows) await removeBlob(trx, repository, digest)
  return rows.length
}

/** How many there are. */
export async function collectable(db: Db, beforeMs: number): Promise<number> {
  const { count } = await unneeded(db, beforeMs)
    .select(({ fn }) => fn.countAll<number | string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** Those of `keys` that some blob's bytes are in, or that an upload is writing. */
export async function keysInUse(db: Db, keys: readonly string[]): Promise<Set<string>> {
  if (keys.length === 0) return new Set()
  const blobs = await db
    .selectFrom('registry_blobs')
    .select('blob_key')
    .distinct()
    .where('blob_key', 'in', [...keys])
    .execute()
  const parts = await db
    .selectFrom('registry_upload_parts')
    .select('key')
    .where('key', 'in', [...keys])
    .execute()
  return new Set([...blobs.map((row) => row.blob_key), ...parts.map((row) => row.key)])
}
