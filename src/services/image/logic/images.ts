import type { Context } from '../../../platform/auth/context.ts'
import type { Target } from '../../../platform/auth/policy.ts'
import type { BlobStore } from '../../../platform/blobs/blobs.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { Database, Db, Trx } from '../../../platform/db/database.ts'
import { violationOf } from '../../../platform/db/violations.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import type { OutwardRules } from '../../../platform/http/outward.ts'
import { newId } from '../../../platform/ids.ts'
import type { Logger } from '../../../platform/log.ts'
import type { RegistryService } from '../../registry/index.ts'
import * as imageRows from '../db/images.ts'
import * as listing from '../db/listing.ts'
import * as memberRows from '../db/members.ts'
import * as pushRows from '../db/pushes.ts'
import type { Status } from '../db/tables.ts'
import { parseListing } from './filters.ts'
import { apply, type Change, refuseReserved } from './patch.ts'
import { claim, type ImageQuotas } from './quotas.ts'
import { baseProperties } from './schema.ts'

export type Image = imageRows.Image

export interface Deps {
  database: Database
  blobs: BlobStore
  registry: RegistryService
  clock: Clock
  log: Logger
  /** Names this process in rows, so that after a crash it finds what it was receiving. */
  uploader: string
  /** Keys of the files it is receiving now. */
  receiving: Set<string>
  /** Bytes of data an image may have; 0 for no bound but the disk's. */
  sizeMaxBytes: number
  /** What imports may fetch from others. */
  outward: OutwardRules
  /** This cloud's, in the words of the catalog. */
  region: string
  quotas: ImageQuotas
}

/** The policy's say on an image. @throws CloudError; `notFound` where the caller may not even know of it. */
export type Allow = (rule: string, image: Image, more?: Target) => void

/** Upstream's quotas. */
const limits = { properties: 128, tags: 128 }

export const repositoryOf = (imageId: string): string => `images/${imageId}`

/** @throws CloudError `notFound`, also for an image that is none of the caller's business. */
export async function get(db: Db, ctx: Context, id: string): Promise<Image> {
  const image = await imageRows.find(db, id)
  if (!image || !(await isVisible(db, ctx, image))) throw noImage(id)
  return image
}

export const noImage = (id: string): CloudError => new CloudError('notFound', `No image found with ID ${id}`)

/** Is it the caller's business at all? What they may do with it, the policy says. */
export async function isVisible(db: Db, ctx: Context, image: Image): Promise<boolean> {
  if (ctx.isAdmin || image.visibility === 'public' || image.visibility === 'community') return true
  if (ctx.projectId === null) return false
  if (image.owner === ctx.projectId) return true
  if (image.visibility !== 'shared') return false
  return (await memberRows.list(db, image.id)).some((member) => member.memberId === ctx.projectId)
}

export async function list(
  { database }: Deps,
  ctx: Context,
  search: URLSearchParams,
): Promise<{ images: Image[]; next: string | undefined }> {
  const { query, marker } = parseListing(search)
  let after: Image | undefined
  if (marker !== undefined) {
    after = await imageRows.find(database.read, marker)
    if (!after || !(await isVisible(database.read, ctx, after))) {
      throw new CloudError('badRequest', `Marker ${marker} could not be found.`)
    }
  }
  const images = await listing.list(database.read, ctx, { ...query, after })
  return { images, next: images.length === query.limit ? images.at(-1)?.id : undefined }
}

/** `body` fits the schema of images. */
export async function create(deps: Deps, ctx: Context, body: Record<string, unknown>, allow: Allow): Promise<Image> {
  const image = newImage(deps.clock.now(), ctx.projectId)
  const { id, ...rest } = body
  if (typeof id === 'string') image.id = id.toLowerCase()
  for (const [attribute, value] of Object.entries(rest)) {
    refuseReserved(attribute)
    if (attribute.length > 255) {
      throw new CloudError('badRequest', 'Custom property should not be greater than 255 characters.')
    }
    apply(image, { op: 'add', attribute, value, strict: false })
  }
  allow('add_image', image)
  allowVisibility(image, allow)
  withinLimits(image)
  try {
    await deps.database.write(async (trx) => {
      await claim(deps, trx, image, { count: 1 })
      await imageRows.insert(trx, image)
    })
  } catch (thrown) {
    if (violationOf(thrown) !== 'unique') throw thrown
    throw new CloudError('conflict', `Image ID ${image.id} already exists!`, { cause: thrown })
  }
  return image
}

export function newImage(now: string, owner: string | null): Image {
  return {
    id: newId(),
    name: null,
    status: 'queued',
    visibility: 'shared',
    owner,
    diskFormat: null,
    containerFormat: null,
    size: null,
    virtualSize: null,
    checksum: null,
    osHashAlgo: null,
    osHashValue: null,
    minDisk: 0,
    minRam: 0,
    protected: false,
    osHidden: false,
    createdAt: now,
    updatedAt: now,
    blobKey: null,
    uploadKey: null,
    uploader: null,
    configDigest: null,
    manifestDigest: null,
    isSnapshot: false,
    copies: [],
    properties: {},
    tags: [],
  }
}

export async function update(
  deps: Deps,
  ctx: Context,
  id: string,
  changes: readonly Change[],
  allow: Allow,
): Promise<Image> {
  return deps.database.write(async (trx) => {
    const image = await get(trx, ctx, id)
    allow('modify_image', image)
    for (const change of changes) {
      if (change.attribute === 'owner' && !ctx.isAdmin) {
        throw new CloudError('forbidden', "Owner can't be updated by non admin.")
      }
      const wasOwnedBy = image.owner
      apply(image, change)
      if (change.attribute === 'visibility') allowVisibility({ ...image, owner: wasOwnedBy }, allow)
    }
    if (changes.length === 0) return image
    withinLimits(image)
    image.updatedAt = deps.clock.now()
    await imageRows.save(trx, image)
    return image
  })
}

function allowVisibility(image: Image, allow: Allow): void {
  if (image.visibility === 'public') allow('publicize_image', image)
  if (image.visibility === 'community') allow('communitize_image', image)
}

function withinLimits({ properties, tags }: Image): void {
  const found = { properties: Object.keys(properties).length, tags: tags.length }
  for (const noun of ['properties', 'tags'] as const) {
    if (found[noun] <= limits[noun]) continue
    throw new CloudError(
      'tooLarge',
      `The limit has been exceeded on the number of allowed image ${noun}. Attempted: ${found[noun]}, Maximum: ${limits[noun]}`,
    )
  }
}

/** The row first, then the bytes: what a crash leaves between is found by the sweep. */
export async function remove(deps: Deps, ctx: Context, id: string, allow: Allow): Promise<void> {
  const removed = await deps.database.write(async (trx) => {
    const image = await get(trx, ctx, id)
    allow('delete_image', image)
    if (image.protected) {
      throw new CloudError('forbidden', `Image ${id} is protected and cannot be deleted.`)
    }
    await removeRow(deps, trx, id)
    return image
  })
  faultPoint('image.delete.row')
  // Staged data belongs to no one else; what is still being staged removes itself.
  const isStaged = removed.status === 'uploading' || removed.status === 'importing'
  const key = isStaged && removed.uploader === null ? removed.uploadKey : removed.blobKey
  await dropFiles(deps, [key, ...removed.copies.map((copy) => copy.key)])
  faultPoint('image.delete.blobs')
}

/** Removes files unless somebody has them: repositories may have blobs in them, and images made of this one may be the same. */
export async function dropFiles({ database, registry, blobs }: Deps, files: readonly (string | null)[]): Promise<void> {
  const keys = files.filter((key) => key !== null)
  const used = await imageRows.keysInUse(database.read, keys)
  const lent = await registry.keysInUse(database.read, keys)
  await Promise.all(keys.filter((key) => !used.has(key) && !lent.has(key)).map((key) => blobs.remove(key)))
}

/** Forgets an image, the tag it was pushed by and what engines could pull of it; its file stays for the sweep. */
export async function removeRow({ registry }: Pick<Deps, 'registry'>, trx: Trx, id: string): Promise<void> {
  const push = await pushRows.find(trx, id)
  if (push) await registry.untag(trx, push.repository, push.tag, push.digest)
  await registry.withdraw(trx, repositoryOf(id))
  await imageRows.remove(trx, id)
}

/** Repeatable. @throws CloudError `forbidden` from other states, as upstream. */
export async function activate(
  deps: Deps,
  ctx: Context,
  id: string,
  to: Extract<Status, 'active' | 'deactivated'>,
  allow: Allow,
): Promise<void> {
  await deps.database.write(async (trx) => {
    const image = await get(trx, ctx, id)
    allow(to === 'active' ? 'reactivate' : 'deactivate', image)
    if (image.status === to) return
    if (image.status !== 'active' && image.status !== 'deactivated') {
      const verb = to === 'active' ? 'reactivate' : 'deactivate'
      throw new CloudError('forbidden', `Not allowed to ${verb} image in status '${image.status}'`)
    }
    await imageRows.save(trx, { ...image, status: to, updatedAt: deps.clock.now() })
  })
}

/** Repeatable. */
export async function addTag(deps: Deps, ctx: Context, id: string, tag: string, allow: Allow): Promise<void> {
  if (tag.length > (baseProperties.tags.items.maxLength ?? 255)) {
    throw new CloudError('badRequest', 'Tags must be shorter than 256 characters.')
  }
  await deps.database.write(async (trx) => {
    const image = await get(trx, ctx, id)
    allow('modify_image', image)
    if (image.tags.includes(tag)) return
    image.tags.push(tag)
    withinLimits(image)
    await imageRows.save(trx, { ...image, updatedAt: deps.clock.now() })
  })
}

export async function removeTag(deps: Deps, ctx: Context, id: string, tag: string, allow: Allow): Promise<void> {
  await deps.database.write(async (trx) => {
    const image = await get(trx, ctx, id)
    allow('modify_image', image)
    if (!image.tags.includes(tag)) throw new CloudError('notFound', 'The tag could not be found.')
    const tags = image.tags.filter((one) => one !== tag)
    await imageRows.save(trx, { ...image, tags, updatedAt: deps.clock.now() })
  })
}
