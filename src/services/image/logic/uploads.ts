import type { Readable } from 'node:stream'
import type { Context } from '../../../platform/auth/context.ts'
import type { Stored } from '../../../platform/blobs/blobs.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import * as imageRows from '../db/images.ts'
import { type ArchiveIndex, indexArchive } from './archive.ts'
import { checkClaim, inspectDisk } from './disk-formats.ts'
import { type Allow, type Deps, dropFiles, get, type Image, repositoryOf } from './images.ts'
import { adoptLent, commitSlim, dropSlim, type Slim, slim } from './pieces.ts'
import { claim } from './quotas.ts'
import { isContainer } from './schema.ts'
import { type Shared, shareWithBase } from './snapshots.ts'
import { archiveOf } from './synthetic.ts'

/** Image files are told from others in the same store by this. */
export const keyPrefix = 'image-'

/**
 * Receives an image's data: `queued` → `saving` → `active`. Whatever goes wrong on the way (a sender that goes away, a
 * full disk, an archive that is none), the image is `queued` again and nothing is left.
 */
export async function upload(
  deps: Deps,
  ctx: Context,
  id: string,
  data: Readable,
  announcedBytes: number | undefined,
  allow: Allow,
  storeId?: string,
): Promise<void> {
  const key = deps.blobs.newKey(keyPrefix, storeId)
  deps.receiving.add(key)
  try {
    await store(deps, ctx, id, data, key, announcedBytes, allow)
  } finally {
    deps.receiving.delete(key)
  }
}

async function store(
  deps: Deps,
  ctx: Context,
  id: string,
  data: Readable,
  key: string,
  announcedBytes: number | undefined,
  allow: Allow,
): Promise<void> {
  const image = await begin(deps, ctx, id, key, announcedBytes, allow)
  try {
    const stored = await receive(deps, data, key)
    faultPoint('image.upload.stored')
    const found = await examine(deps, image, key)
    faultPoint('image.upload.indexed')
    await finish(deps, id, key, stored, await slimmed(deps, image, key, found))
    faultPoint('image.upload.committed')
  } catch (thrown) {
    await abandon(deps, id, key)
    deps.log.info({ image: id, reason: messageOf(thrown) }, 'upload refused')
    throw thrown
  }
}

async function begin(
  deps: Deps,
  ctx: Context,
  id: string,
  key: string,
  announcedBytes: number | undefined,
  allow: Allow,
): Promise<Image> {
  return deps.database.write(async (trx) => {
    const image = await get(trx, ctx, id)
    allow('upload_image', image)
    if (image.status !== 'queued') {
      throw new CloudError('conflict', `Image status transition from ${image.status} to saving is not allowed`)
    }
    const missing = [
      ...(image.diskFormat === null ? ['disk_format'] : []),
      ...(image.containerFormat === null ? ['container_format'] : []),
    ]
    if (missing.length > 0) {
      throw new CloudError('badRequest', `Properties ${missing.join(', ')} must be set prior to saving data.`)
    }
    refuseTooLarge(deps, announcedBytes)
    await claim(deps, trx, image, { uploading: 1, bytes: announcedBytes ?? null })
    const saving: Image = { ...image, status: 'saving', uploadKey: key, uploader: deps.uploader }
    await imageRows.save(trx, saving)
    return saving
  })
}

/** @throws CloudError for data that says beforehand that it is too long. */
export function refuseTooLarge({ sizeMaxBytes }: Deps, announcedBytes: number | undefined): void {
  if (sizeMaxBytes > 0 && announcedBytes !== undefined && announcedBytes > sizeMaxBytes) throw tooLarge(sizeMaxBytes)
}

const tooLarge = (most: number): CloudError =>
  new CloudError('tooLarge', `The incoming image is too large: at most ${most} bytes are accepted.`)

/** A sender that was cut off from power or network says nothing; without this its image would be `saving` for ever. */
const idleMs = 300_000

/** Data → a file of the store. @throws CloudError that says whose fault it was. */
export async function receive({ blobs, sizeMaxBytes }: Deps, data: Readable, key: string): Promise<Stored> {
  try {
    return await blobs.put(data, { key, idleMs, ...(sizeMaxBytes > 0 ? { maxBytes: sizeMaxBytes } : {}) })
  } catch (thrown) {
    if (!(thrown instanceof CloudError)) {
      if (!data.errored) throw thrown
      throw new CloudError('badRequest', 'The upload was broken off.', { cause: thrown })
    }
    if (thrown.kind === 'tooLarge') throw tooLarge(sizeMaxBytes)
    if (thrown.kind !== 'noSpace') throw thrown
    throw new CloudError('noSpace', `Image storage media is full: ${thrown.message}`, { cause: thrown })
  }
}

/** What stored data is. */
export interface Examined {
  /** Of container images. */
  index: ArchiveIndex | null
  virtualSize: number | null
  /** Of a snapshot, which keeps only what its base has not. */
  shared?: Shared | null
  /** Of an archive with layers that others have. */
  slim?: Slim | null
}

/** What of it need not be kept, for the store has it already. */
export async function slimmed(deps: Deps, image: Image, key: string, found: Examined): Promise<Examined> {
  const { index } = found
  if (!index) return found
  if (image.isSnapshot) return { ...found, shared: await shareWithBase(deps, image, key, index) }
  return { ...found, slim: await slim(deps, image.id, key, index) }
}

/** Indexes a container image, inspects a disk. @throws CloudError when it is not what it is said to be */
export async function examine(
  { blobs }: Pick<Deps, 'blobs'>,
  { containerFormat, diskFormat }: Pick<Image, 'containerFormat' | 'diskFormat'>,
  key: string,
): Promise<Examined> {
  const file = await blobs.reader(key)
  if (isContainer(containerFormat)) {
    const index = await indexArchive(file) // which closes it
    return { index, virtualSize: index.unpackedBytes }
  }
  try {
    const found = await inspectDisk(file)
    checkClaim(found, diskFormat, containerFormat)
    const isPacked = containerFormat === 'compressed' || containerFormat === 'ova' || containerFormat === 'ovf'
    return {
      index: null,
      virtualSize: isPacked || (found.format === 'raw' && diskFormat !== 'raw') ? null : found.virtualSize,
    }
  } finally {
    await file.close()
  }
}

async function finish(deps: Deps, id: string, key: string, stored: Stored, found: Examined): Promise<void> {
  const file = await deps.database.write(async (trx) => {
    const image = await imageRows.find(trx, id)
    if (image?.status !== 'saving' || image.uploadKey !== key) {
      throw new CloudError(
        'gone',
        `Image ${id} could not be found after upload. The image may have been deleted during the upload.`,
      )
    }
    return activate(deps, trx, image, stored, found)
  })
  if (file === key) return
  faultPoint('image.upload.slimmed')
  await dropFiles(deps, [key])
}

/**
 * In one transaction the image has data and, if it is a container image, engines can pull it. Answers which file it has,
 * if any.
 */
export async function activate(
  deps: Deps,
  trx: Trx,
  image: Image,
  { key, size, md5, sha512 }: Pick<Stored, 'key' | 'size' | 'md5' | 'sha512'>,
  { index, virtualSize, shared = null, slim: without = null }: Examined,
): Promise<string | null> {
  const { registry, clock } = deps
  // Who sent more than was said, or did not say how much, is refused now.
  const ownSize = shared ? archiveOf(shared.manifest).size : size
  await claim(deps, trx, image, { bytes: ownSize * (1 + image.copies.length) })
  const properties = { ...image.properties }
  if (index) {
    properties.architecture ??= architectureOf(index.architecture)
    if (index.os !== 'linux') properties.os_type ??= index.os
  }
  let file: string | null = key
  if (shared) {
    file = null
    await registry.assemble(trx, repositoryOf(image.id), shared)
  } else if (index && without && (await commitSlim(deps, trx, image.id, without, index))) file = without.key
  else if (index) {
    if (without) await dropSlim(trx, image.id)
    const blobs = index.blobs.map((blob) => ({ ...blob, blobKey: key }))
    await registry.publish(trx, repositoryOf(image.id), { manifest: index.manifest, blobs })
    // Layers that were pushed before are in this file too: one copy will do.
    await registry.prefer(trx, key, index.blobs)
  }
  await imageRows.save(trx, {
    ...image,
    status: 'active',
    size: ownSize,
    virtualSize,
    // Of a snapshot they are computed later, over what its download will be.
    checksum: shared ? null : md5,
    osHashAlgo: shared ? null : 'sha512',
    osHashValue: shared ? null : sha512,
    updatedAt: clock.now(),
    blobKey: file,
    uploadKey: null,
    uploader: null,
    configDigest: index?.configDigest ?? null,
    manifestDigest: shared?.manifest.digest ?? index?.manifest.digest ?? null,
    properties,
  })
  return file
}

/** Go's names of machines, in which images are labelled, to those of OpenStack's `architecture` property. */
export const architectureOf = (name: string): string => architectures[name] ?? name

const architectures: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  arm: 'armv7l',
  '386': 'i686',
}

/** The file goes last, and never one that an image has: the failure may have been a commit whose answer was lost. */
async function abandon({ database, blobs }: Deps, id: string, key: string): Promise<void> {
  const isKept = await database.write(async (trx) => {
    const image = await imageRows.find(trx, id)
    if (image?.status === 'saving' && image.uploadKey === key) {
      await imageRows.save(trx, { ...image, status: 'queued', uploadKey: null, uploader: null })
    }
    await dropSlim(trx, id)
    // Of a snapshot that is active nothing is kept of the file, whatever went wrong afterwards.
    return image?.blobKey === key
  })
  if (!isKept) await blobs.remove(key)
}

/**
 * Gives back to `queued` what this process was receiving before it was killed, and removes files no image has.
 * Safe at any time: an upload names its file in a row before the file exists. Says how many of each.
 */
export async function tidy(deps: Deps): Promise<{ requeued: number; removed: number }> {
  const requeued = await deps.database.write((trx) =>
    imageRows.requeueUploadsOf(trx, deps.uploader, [...deps.receiving]),
  )
  let removed = 0
  let batch: string[] = []
  const lentKeys: string[] = []
  const sweep = async () => {
    const used = await imageRows.keysInUse(deps.database.read, batch)
    const lent = await deps.registry.keysInUse(deps.database.read, batch)
    const orphans = batch.filter((key) => !used.has(key) && !lent.has(key))
    await Promise.all(orphans.map((key) => deps.blobs.remove(key)))
    lentKeys.push(...batch.filter((key) => !used.has(key) && lent.has(key)))
    removed += orphans.length
    batch = []
  }
  for await (const { key } of deps.blobs.list()) {
    if (!key.startsWith(keyPrefix)) continue
    batch.push(key)
    if (batch.length === 500) await sweep()
  }
  await sweep()
  await adoptLent(deps, lentKeys)
  return { requeued, removed }
}
