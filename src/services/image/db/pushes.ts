import type { Db, Trx } from '../../../platform/db/database.ts'
import { type Image, withDetails } from './images.ts'

export interface Push {
  imageId: string
  repository: string
  tag: string
  digest: string
}

export async function find(db: Db, imageId: string): Promise<Push | null> {
  const row = await db.selectFrom('image_pushes').selectAll().where('image_id', '=', imageId).executeTakeFirst()
  return row ? { imageId, repository: row.repository, tag: row.tag, digest: row.digest } : null
}

/** The image that a tag means. */
export async function findTagged(db: Db, repository: string, tag: string): Promise<Push | null> {
  const row = await db
    .selectFrom('image_pushes')
    .selectAll()
    .where('repository', '=', repository)
    .where('tag', '=', tag)
    .executeTakeFirst()
  return row ? { imageId: row.image_id, repository, tag, digest: row.digest } : null
}

export async function insert(trx: Trx, { imageId, repository, tag, digest }: Push): Promise<void> {
  await trx.insertInto('image_pushes').values({ image_id: imageId, repository, tag, digest }).execute()
}

export async function remove(trx: Trx, imageId: string): Promise<void> {
  await trx.deleteFrom('image_pushes').where('image_id', '=', imageId).execute()
}

/** Container images with data: of one owner, or all public ones; by exact name or by what a name begins with. */
export async function containers(
  db: Db,
  {
    owner,
    names,
    prefix,
    id,
    digest,
    hidden,
    uploaded,
  }: {
    owner: string | null
    names: readonly string[]
    prefix: string | null
    id: string | null
    digest: string | null
    hidden: boolean
    /** Only those that no tag means. */
    uploaded: boolean
  },
): Promise<Image[]> {
  let query = db
    .selectFrom('image_images')
    .selectAll()
    .where('status', '=', 'active')
    .where('manifest_digest', 'is not', null)
    .where((eb) =>
      eb.or([
        ...(names.length > 0 ? [eb('name', 'in', [...names])] : []),
        // A guess that the caller narrows down: `_` and `%` stand for others here.
        ...(prefix === null ? [] : [eb('name', 'like', `${prefix}:%`)]),
        ...(id === null ? [] : [eb('id', '=', id)]),
      ]),
    )
  query = owner === null ? query.where('visibility', '=', 'public') : query.where('owner', '=', owner)
  if (digest !== null) query = query.where('manifest_digest', '=', digest)
  if (uploaded) query = query.where('id', 'not in', (eb) => eb.selectFrom('image_pushes').select('image_id'))
  if (!hidden) query = query.where('os_hidden', '=', 0)
  return withDetails(db, await query.orderBy('created_at', 'desc').orderBy('id').limit(1000).execute())
}

/** Container images with data and a name that holds `term`, not hidden, of anybody. */
export async function named(db: Db, term: string, limit: number): Promise<Image[]> {
  const rows = await db
    .selectFrom('image_images')
    .selectAll()
    .where('status', '=', 'active')
    .where('os_hidden', '=', 0)
    .where('manifest_digest', 'is not', null)
    .where('name', 'like', `%${term}%`)
    .orderBy('name')
    .limit(limit)
    .execute()
  return withDetails(db, rows)
}

/** Pushed images whose checksums are not known yet, the oldest first. */
export async function unhashed(db: Db, limit: number): Promise<Image[]> {
  const rows = await db
    .selectFrom('image_images')
    .selectAll()
    .where('status', '=', 'active')
    .where('manifest_digest', 'is not', null)
    .where('blob_key', 'is', null)
    .where('os_hash_value', 'is', null)
    .orderBy('created_at')
    .limit(limit)
    .execute()
  return withDetails(db, rows)
}
