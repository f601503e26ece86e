import type { Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { LimitStore } from '../../../platform/quota/limits.ts'
import { createQuotas, type Quotas } from '../../../platform/quota/quotas.ts'

const mebibyte = 2 ** 20

/** Source: Glance, "Unified limits": sizes in MiB. Nothing is limited unless Identity has a limit for it. */
const resources = {
  image_size_total: { fallback: -1, unit: mebibyte },
  image_stage_total: { fallback: -1, unit: mebibyte },
  image_count_total: { fallback: -1 },
  image_count_uploading: { fallback: -1 },
} as const

export type ImageResource = keyof typeof resources
export type ImageQuotas = Quotas<ImageResource>

export const imageQuotas = (limits: LimitStore): ImageQuotas =>
  createQuotas({
    service: 'image',
    resources,
    limits,
    refuse: (over) => {
      const each = over.map(
        ({ resource, wanted, used, limit }) =>
          `${resource}: ${Math.ceil(wanted)} more than the ${used} of ${limit} that are used`,
      )
      return new CloudError('overQuota', `The project's quota is exceeded for ${each.join('; ')}.`)
    },
  })

export interface Wanted {
  count?: number
  uploading?: number
  /** Of data that is or becomes an image's; null where nobody knows yet: then there must be some room at all. */
  bytes?: number | null
  stagedBytes?: number | null
}

/** In the transaction that writes the image, before it does. An image of nobody counts for nobody. @throws CloudError */
export async function claim(
  { quotas }: { quotas: ImageQuotas },
  trx: Trx,
  { owner }: { owner: string | null },
  { count = 0, uploading = 0, bytes = 0, stagedBytes = 0 }: Wanted,
): Promise<void> {
  if (owner === null) return
  await quotas.claim(trx, owner, {
    image_count_total: count,
    image_count_uploading: uploading,
    image_size_total: (bytes ?? 1) / mebibyte,
    image_stage_total: (stagedBytes ?? 1) / mebibyte,
  })
}
