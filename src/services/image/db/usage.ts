import type { Db } from '../../../platform/db/database.ts'

/** What a project has of what Glance limits; sizes in MiB, as its limits are. Source: Image API v2 reference, "Quota usage". */
export interface Usage {
  image_size_total: number
  image_stage_total: number
  image_count_total: number
  image_count_uploading: number
}

const mebibyte = 1024 * 1024

/** Data counts once for every store that it is in; what is being staged or imported counts apart. */
export async function usageOf(db: Db, projectId: string): Promise<Usage> {
  const images = await db
    .selectFrom('image_images')
    .select(({ fn }) => [
      fn.countAll<number | string>().as('count'),
      fn.sum<number | string | null>('size').as('bytes'),
    ])
    .where('owner', '=', projectId)
    .where('import_phase', 'is', null)
    .executeTakeFirstOrThrow()
  const copies = await db
    .selectFrom('image_locations as l')
    .innerJoin('image_images as i', 'i.id', 'l.image_id')
    .select(({ fn }) => fn.sum<number | string | null>('i.size').as('bytes'))
    .where('i.owner', '=', projectId)
    .executeTakeFirstOrThrow()
  const staged = await db
    .selectFrom('image_images')
    .select(({ fn }) => [
      fn.countAll<number | string>().as('count'),
      fn.sum<number | string | null>('size').as('bytes'),
    ])
    .where('owner', '=', projectId)
    .where('import_phase', 'is not', null)
    .executeTakeFirstOrThrow()
  const saving = await db
    .selectFrom('image_images')
    .select(({ fn }) => fn.countAll<number | string>().as('count'))
    .where('owner', '=', projectId)
    .where('status', '=', 'saving')
    .executeTakeFirstOrThrow()
  const whole = (bytes: number | string | null) => Math.floor(Number(bytes ?? 0) / mebibyte)
  return {
    image_size_total: whole(Number(images.bytes ?? 0) + Number(copies.bytes ?? 0)),
    image_stage_total: whole(staged.bytes),
    image_count_total: Number(images.count) + Number(staged.count),
    image_count_uploading: Number(saving.count) + Number(staged.count),
  }
}
