import type { Migration } from '../../../platform/db/database.ts'
import { type Counter, countRows } from '../../../platform/quota/counters.ts'

const ofImages = (resource: string, amount: string): Counter => ({
  service: 'image',
  resource,
  table: 'image_images',
  holder: 'owner',
  amount,
})

/**
 * Under Glance's names, sizes in bytes. Data counts once for every store that it is in or being copied to; what is being
 * staged or imported counts apart. Source: Image API v2 reference, "Quota usage".
 */
const firstCounters: readonly Counter[] = [
  ofImages('image_count_total', '1'),
  ofImages('image_size_total', 'case when row.import_phase is null then row.size * (1 + row.copy_count) else 0 end'),
  ofImages('image_stage_total', 'case when row.import_phase is null then 0 else row.size end'),
  ofImages(
    'image_count_uploading',
    "case when row.status = 'saving' or row.import_phase is not null then 1 else 0 end",
  ),
]

/** All of them. A later one is added here, and counted by a migration of its own: `countRows(db, [that])`. */
export const counters: readonly Counter[] = [...firstCounters]

export const quotaMigration: Migration = {
  name: '0008-quotas',
  async up(db) {
    // How many rows of `image_locations` there are, so that what an image takes is in its own row.
    await db.schema
      .alterTable('image_images')
      .addColumn('copy_count', 'integer', (c) => c.notNull().defaultTo(0))
      .execute()
    await countRows(db, firstCounters)
  },
}
