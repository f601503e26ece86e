import { sql } from 'kysely'
import type { Db, Migration, Trx } from '../../../platform/db/database.ts'

/** Another copy of an image's data. The one that counts is the image's own `blob_key`. */
export interface LocationsTable {
  image_id: string
  store: string
  key: string
  /** 0 while it is being copied: the file is named here before it exists, so that no sweep takes it. */
  is_ready: 0 | 1
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    image_locations: LocationsTable
  }
}

export const locationsMigration: Migration = {
  name: '0006-stores',
  async up(db) {
    await db.schema
      .createTable('image_locations')
      .addColumn('image_id', 'text', (c) => c.notNull().references('image_images.id').onDelete('cascade'))
      .addColumn('store', 'text', (c) => c.notNull())
      .addColumn('key', 'text', (c) => c.notNull())
      .addColumn('is_ready', 'integer', (c) => c.notNull())
      .addPrimaryKeyConstraint('image_locations_pk', ['image_id', 'store'])
      .execute()
    await db.schema.createIndex('image_locations_key').on('image_locations').column('key').execute()
    // What a task needs besides what its owner may read.
    await db.schema.alterTable('image_tasks').addColumn('detail', 'text').execute()
    // Of a snapshot that Compute makes: its layers are its own, its archive is nobody's.
    await db.schema.alterTable('image_images').addColumn('is_snapshot', 'integer').execute()
  },
}

export interface Copy {
  imageId: string
  store: string
  key: string
}

/** Names the file of a copy, in place of an earlier attempt's. */
export async function begin(trx: Trx, { imageId, store, key }: Copy): Promise<void> {
  await remove(trx, imageId, store)
  await trx.insertInto('image_locations').values({ image_id: imageId, store, key, is_ready: 0 }).execute()
  await recount(trx, imageId)
}

export async function ready(trx: Trx, { imageId, store, key }: Copy): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('image_locations')
    .set({ is_ready: 1 })
    .where('image_id', '=', imageId)
    .where('store', '=', store)
    .where('key', '=', key)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function remove(trx: Trx, imageId: string, store: string): Promise<void> {
  await trx.deleteFrom('image_locations').where('image_id', '=', imageId).where('store', '=', store).execute()
  await recount(trx, imageId)
}

/** Forgets what was being copied. */
export async function removeUnready(trx: Trx, imageId: string): Promise<void> {
  await trx.deleteFrom('image_locations').where('image_id', '=', imageId).where('is_ready', '=', 0).execute()
  await recount(trx, imageId)
}

/** What the image takes of its owner's quota follows its copies, those under way too. */
async function recount(trx: Trx, imageId: string): Promise<void> {
  const copy_count = sql<number>`(select count(*) from image_locations l where l.image_id = ${imageId})`
  await trx.updateTable('image_images').set({ copy_count }).where('id', '=', imageId).execute()
}

/** Those that are whole, of many images. */
export async function list(db: Db, imageIds: readonly string[]): Promise<Copy[]> {
  if (imageIds.length === 0) return []
  const rows = await db
    .selectFrom('image_locations')
    .select(['image_id', 'store', 'key'])
    .where('image_id', 'in', imageIds)
    .where('is_ready', '=', 1)
    .orderBy('store')
    .execute()
  return rows.map(({ image_id, store, key }) => ({ imageId: image_id, store, key }))
}
