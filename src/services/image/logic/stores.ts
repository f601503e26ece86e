import type { Context } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as imageRows from '../db/images.ts'
import * as locationRows from '../db/locations.ts'
import { type Allow, type Deps, dropFiles, get, type Image } from './images.ts'

/** Is there a choice at all? Where not, images do not name their store, as upstream's do where one is configured. */
export const areMany = ({ blobs }: Pick<Deps, 'blobs'>): boolean => blobs.stores.length > 1

const known = ({ blobs }: Pick<Deps, 'blobs'>, store: string): boolean => blobs.stores.some(({ id }) => id === store)

/** Where an image's data is, the copy that counts first. */
export function storesOf({ blobs }: Pick<Deps, 'blobs'>, image: Image): string[] {
  const [first] = blobs.stores
  if (image.blobKey !== null) return [blobs.storeOf(image.blobKey), ...image.copies.map(({ store }) => store)]
  return image.manifestDigest !== null && first ? [first.id] : [] // pushed
}

/** The header of an upload, checked. @throws CloudError `badRequest` */
export function storeOfHeader(deps: Pick<Deps, 'blobs'>, header: string | string[] | undefined): string | undefined {
  if (header === undefined || !areMany(deps)) return undefined
  if (typeof header === 'string' && known(deps, header)) return header
  throw new CloudError('badRequest', `Unknown scheme '${String(header).slice(0, 100)}' found in URI`)
}

/**
 * The stores that an import asks for; `copied`: those that this image is not in yet. Empty: nothing is to be done.
 * Source: Image API v2 reference, "Import an image", `stores`, `all_stores`. @throws CloudError
 */
export function wantedStores(deps: Pick<Deps, 'blobs'>, body: Record<string, unknown>, copied: Image | null): string[] {
  const { stores, all_stores: all = false } = body
  if (stores !== undefined && (!Array.isArray(stores) || stores.some((store) => typeof store !== 'string')))
    throw new CloudError('badRequest', "'stores' must be a list of names")
  if (all && stores !== undefined)
    throw new CloudError('badRequest', "All_stores parameter can't be used with Stores parameter")
  const ids = deps.blobs.stores.map(({ id }) => id)
  const named = areMany(deps) ? (stores as string[] | undefined) : undefined
  const wanted = all ? ids : named && named.length > 0 ? [...new Set(named)] : ids.slice(0, 1)
  const unknown = wanted.find((store) => !ids.includes(store))
  if (unknown !== undefined) throw new CloudError('conflict', `Unknown scheme '${unknown.slice(0, 100)}' found in URI`)
  if (!copied) return wanted
  if (copied.blobKey === null)
    throw new CloudError('conflict', `Image ${copied.id} was pushed: its data are blobs of the registry, not a file.`)
  const there = storesOf(deps, copied)
  if (all) return wanted.filter((store) => !there.includes(store))
  const twice = wanted.find((store) => there.includes(store))
  if (twice !== undefined) throw new CloudError('badRequest', `Image is already present at store '${twice}'`)
  return wanted
}

/** Takes an image's data out of one store. @throws CloudError where it is the only one. */
export async function removeFrom(deps: Deps, ctx: Context, store: string, id: string, allow: Allow): Promise<void> {
  if (!areMany(deps)) throw new CloudError('notFound', 'The resource could not be found.')
  if (!known(deps, store))
    throw new CloudError('conflict', `The selected store ${store} is not available on this node.`)
  const dropped = await deps.database.write(async (trx) => {
    const image = await get(trx, ctx, id)
    allow('get_image_location', image)
    allow('delete_image_location', image)
    if (image.status !== 'active')
      throw new CloudError(
        'conflict',
        "It's not allowed to remove image data from store if image status is not 'active'",
      )
    const there = storesOf(deps, image)
    if (there.length === 1)
      throw new CloudError(
        'forbidden',
        'Cannot delete image data from the only store containing it. Consider deleting the image instead.',
      )
    if (!there.includes(store) || image.blobKey === null)
      throw new CloudError('notFound', `Image ${id} is not stored in store ${store}.`)
    const copy = image.copies.find((one) => one.store === store)
    if (copy) {
      await locationRows.remove(trx, id, store)
      return copy.key
    }
    const [next] = image.copies
    if (!next) throw new Error(`image ${id} has no other copy`)
    await locationRows.remove(trx, id, next.store)
    await deps.registry.moved(trx, image.blobKey, next.key)
    await imageRows.save(trx, { ...image, blobKey: next.key, updatedAt: deps.clock.now() })
    return image.blobKey
  })
  await dropFiles(deps, [dropped])
}
