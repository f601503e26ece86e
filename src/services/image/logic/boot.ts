import type { Context } from '../../../platform/auth/context.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { NotFound } from '../../../platform/errors.ts'
import * as imageRows from '../db/images.ts'
import { type Deps, get, type Image, newImage, removeRow, repositoryOf } from './images.ts'
import { claim } from './quotas.ts'

/** What Compute needs to know of an image. */
export interface Bootable {
  id: string
  name: string | null
  status: Image['status']
  owner: string | null
  minDiskGiB: number
  minRamMiB: number
  sizeBytes: number | null
  /** All layers, unpacked; null where there is no data yet, or it is no container image. */
  unpackedBytes: number | null
  properties: Readonly<Record<string, string>>
  containerFormat: string | null
  diskFormat: string | null
  /** In the registry: `images/<id>`. */
  repository: string
  /** What engines pull: `127.0.0.1:5042/images/<id>@sha256:…`; null unless it is an active container image. */
  reference: string | null
  /** The engine's id of the image. */
  configDigest: string | null
}

/** @throws NotFound in Nova's words, also for an image that is none of the caller's business. */
export async function bootable(
  { registry }: Pick<Deps, 'registry'>,
  db: Db,
  ctx: Context,
  id: string,
): Promise<Bootable> {
  const image = await get(db, ctx, id).catch((thrown: unknown) => {
    throw new NotFound('Image', id, { cause: thrown })
  })
  const repository = repositoryOf(id)
  const canPull = image.status === 'active' && image.manifestDigest !== null
  return {
    id,
    name: image.name,
    status: image.status,
    owner: image.owner,
    minDiskGiB: image.minDisk,
    minRamMiB: image.minRam,
    sizeBytes: image.size,
    unpackedBytes: image.configDigest === null ? null : image.virtualSize,
    properties: image.properties,
    containerFormat: image.containerFormat,
    diskFormat: image.diskFormat,
    repository,
    reference: canPull ? `${registry.host}/${repository}@${image.manifestDigest}` : null,
    configDigest: image.configDigest,
  }
}

export interface NewSnapshot {
  name: string
  owner: string
  /** `image_type`, `base_image_ref`, `instance_uuid`, `user_id` and whatever else Compute wants to have in it. */
  properties: Readonly<Record<string, string>>
  minDiskGiB: number
  minRamMiB: number
}

/** A `queued` private image, for a host to upload to. Answers its id. */
export async function createSnapshot(
  deps: Pick<Deps, 'clock' | 'quotas'>,
  trx: Trx,
  wanted: NewSnapshot,
): Promise<string> {
  const image = {
    ...newImage(deps.clock.now(), wanted.owner),
    name: wanted.name,
    isSnapshot: true,
    visibility: 'private' as const,
    containerFormat: 'docker',
    diskFormat: 'raw',
    minDisk: wanted.minDiskGiB,
    minRam: wanted.minRamMiB,
    properties: { ...wanted.properties },
  }
  await claim(deps, trx, image, { count: 1 })
  await imageRows.insert(trx, image)
  return image.id
}

/** Removes an image that never got its data, as Nova does when a snapshot fails. Repeatable; others are left alone. */
export async function fail(deps: Pick<Deps, 'registry'>, trx: Trx, id: string): Promise<void> {
  const image = await imageRows.find(trx, id)
  if (image?.status === 'queued' || image?.status === 'saving') await removeRow(deps, trx, id)
}

/** Forgets an image whatever its state, unless it is protected. Its bytes go with the next sweep. Repeatable. */
export async function remove(deps: Pick<Deps, 'registry'>, trx: Trx, id: string): Promise<void> {
  const image = await imageRows.find(trx, id)
  if (image && !image.protected) await removeRow(deps, trx, id)
}
