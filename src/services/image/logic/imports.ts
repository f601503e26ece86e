import type { Readable } from 'node:stream'
import type { Context } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { permitted } from '../../../platform/http/outward.ts'
import { newId } from '../../../platform/ids.ts'
import * as imageRows from '../db/images.ts'
import * as importRows from '../db/imports.ts'
import { type Allow, type Deps, get, type Image, isVisible } from './images.ts'
import { claim } from './quotas.ts'
import { wantedStores } from './stores.ts'
import { keyPrefix, receive, refuseTooLarge } from './uploads.ts'

export type Task = importRows.Task

const methods = ['glance-direct', 'web-download', 'glance-download', 'copy-image'] as const
export type Method = (typeof methods)[number]

/** How data may come besides by upload; from store to store only where there are several. */
export const importMethods = ({ blobs }: Pick<Deps, 'blobs'>): Method[] =>
  methods.filter((method) => method !== 'copy-image' || blobs.stores.length > 1)

/** Receives data without making it the image's yet: `queued` → `uploading`. A refused or broken one leaves nothing. */
export async function stage(
  deps: Deps,
  ctx: Context,
  id: string,
  data: Readable,
  announcedBytes: number | undefined,
  allow: Allow,
): Promise<void> {
  const key = deps.blobs.newKey(keyPrefix)
  deps.receiving.add(key)
  try {
    await deps.database.write(async (trx) => {
      const image = await get(trx, ctx, id)
      allow('modify_image', image)
      if (image.status !== 'queued') {
        throw new CloudError('conflict', `Image status transition from ${image.status} to uploading is not allowed`)
      }
      refuseTooLarge(deps, announcedBytes)
      await claim(deps, trx, image, { uploading: 1, stagedBytes: announcedBytes ?? null })
      await imageRows.save(trx, { ...image, status: 'uploading', uploadKey: key, uploader: deps.uploader })
    })
    try {
      const { size, md5, sha512 } = await receive(deps, data, key)
      faultPoint('image.stage.stored')
      await deps.database.write(async (trx) => {
        const image = await imageRows.find(trx, id)
        if (image?.status !== 'uploading' || image.uploadKey !== key) {
          throw new CloudError('gone', `Image ${id} was deleted while its data was being staged.`)
        }
        await claim(deps, trx, image, { stagedBytes: size })
        await importRows.insertStaging(trx, { imageId: id, key, size, md5, sha512 })
        await imageRows.save(trx, { ...image, size, uploader: null, updatedAt: deps.clock.now() })
      })
      faultPoint('image.stage.committed')
    } catch (thrown) {
      // Unless the failure was a commit whose answer was lost: then the data is staged.
      const isStaged = await deps.database.write(async (trx) => {
        if ((await importRows.findStaging(trx, id))?.key === key) return true
        await unstage(trx, id, key)
        return false
      })
      if (!isStaged) await deps.blobs.remove(key)
      throw thrown
    }
  } finally {
    deps.receiving.delete(key)
  }
}

type Trx = Parameters<typeof imageRows.save>[0]

/** Back to `queued`; the file is the caller's to remove. */
export async function unstage(trx: Trx, id: string, key: string | null): Promise<void> {
  const image = await imageRows.find(trx, id)
  if (image?.uploadKey !== key || (image.status !== 'uploading' && image.status !== 'importing')) return
  await importRows.removeStaging(trx, id)
  await imageRows.save(trx, { ...image, status: 'queued', size: null, uploadKey: null, uploader: null })
}

const conflict = (message: string): CloudError => new CloudError('conflict', message)
const bad = (message: string): CloudError => new CloudError('badRequest', message)

/** Records the wish, a task; the loop does it. Until it has, the image is `importing` (when copied, as it is). */
export async function request(
  deps: Deps,
  ctx: Context,
  id: string,
  body: Record<string, unknown>,
  allow: Allow,
): Promise<void> {
  const { name, parameters } = checkedMethod(deps, body)
  await deps.database.write(async (trx) => {
    const image = await get(trx, ctx, id)
    if (image.status === 'importing' || (await importRows.isBusy(trx, id))) {
      throw conflict(`New operation on image '${id}' is not permitted as prior operation is still in progress`)
    }
    refuseStatus(image, name)
    if (name === 'glance-direct' && !(await importRows.findStaging(trx, id))) {
      throw conflict("Image needs to be staged before 'glance-direct' method can be used")
    }
    if (!image.containerFormat) throw conflict("'container_format' needs to be set before import")
    if (!image.diskFormat) throw conflict("'disk_format' needs to be set before import")
    const sourceId = name === 'glance-download' ? checkedSource(parameters) : undefined
    allow(name === 'copy-image' ? 'copy_image' : 'modify_image', image)
    const stores = wantedStores(deps, body, name === 'copy-image' ? image : null)
    if (stores.length === 0) return // in all of them already
    if (name === 'web-download' && !permitted(String(parameters.uri ?? ''), deps.outward)) {
      throw bad(`URI for web-download does not pass filtering: ${String(parameters.uri).slice(0, 500)}`)
    }
    const source =
      sourceId === undefined ? undefined : await readableSource(deps, trx, ctx, sourceId, parameters, allow)
    const now = deps.clock.now()
    const isNew = image.status === 'queued'
    const bytes = name === 'copy-image' ? (image.size ?? 0) * stores.length : image.size
    await claim(deps, trx, image, { uploading: isNew ? 1 : 0, bytes })
    if (name !== 'copy-image') await imageRows.save(trx, { ...image, status: 'importing', updatedAt: now })
    const isPlain = deps.blobs.stores.length === 1
    await importRows.insertTask(trx, {
      id: newId(),
      imageId: id,
      type: 'api_image_import',
      status: 'pending',
      owner: ctx.projectId ?? '',
      userId: ctx.userId,
      requestId: ctx.requestId,
      input: { image_id: id, import_req: body, backend: isPlain ? [null] : stores },
      result: null,
      message: '',
      createdAt: now,
      updatedAt: now,
      expiresAt: null,
      detail: {
        stores,
        allMustSucceed: body.all_stores_must_succeed !== false,
        ...(source === undefined ? {} : { sourceId: source }),
      },
    })
  })
  faultPoint('image.import.requested')
}

function checkedMethod(
  deps: Deps,
  body: Record<string, unknown>,
): { name: Method; parameters: Record<string, unknown> } {
  const { method } = body
  if (typeof method !== 'object' || method === null) throw bad("Import request requires a 'method' field.")
  const parameters = method as Record<string, unknown>
  if (!('name' in parameters)) throw bad("Import request requires a 'name' field.")
  const name = importMethods(deps).find((one) => one === parameters.name)
  if (!name) throw bad(`Unknown import method name '${String(parameters.name)}'.`)
  for (const key of ['all_stores_must_succeed', 'all_stores']) {
    if (body[key] !== undefined && typeof body[key] !== 'boolean') throw bad(`'${key}' must be boolean value only`)
  }
  if (body.all_stores_must_succeed === false && deps.blobs.stores.length === 1) {
    throw bad('All_stores_must_succeed can only be set where there are several stores.')
  }
  return { name, parameters }
}

/** Source: Image API v2 reference, "Import an image": which status which method starts from. */
function refuseStatus({ status }: Image, method: Method): void {
  if (method === 'copy-image') {
    if (status !== 'active') throw conflict('Only images with status active can be targeted for copying')
    return
  }
  if (status === 'active') throw conflict('Image with status active cannot be target for import')
  if (method === 'glance-direct') {
    if (status === 'uploading') return
    throw conflict("Image needs to be staged before 'glance-direct' method can be used")
  }
  if (status !== 'queued') throw conflict(`Image needs to be in 'queued' state to use '${method}' method`)
}

const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i

function checkedSource(parameters: Record<string, unknown>): string {
  for (const key of ['glance_region', 'glance_image_id']) {
    if (!(key in parameters)) throw bad(`'${key}' needs to be set for glance-download import method`)
  }
  const id = String(parameters.glance_image_id)
  if (!uuid.test(id)) throw bad(`Remote image id does not look like a UUID: ${id.slice(0, 100)}`)
  return id
}

/** The image that is meant, when the caller may download it; null otherwise, which the task will say. */
async function readableSource(
  { region }: Deps,
  trx: Trx,
  ctx: Context,
  id: string,
  { glance_region }: Record<string, unknown>,
  allow: Allow,
): Promise<string | null> {
  if (glance_region !== region) return null
  const source = await imageRows.find(trx, id)
  if (source?.status !== 'active' || !(await isVisible(trx, ctx, source))) return null
  try {
    allow('download_image', source)
    return source.id
  } catch (thrown) {
    if (thrown instanceof CloudError) return null
    throw thrown
  }
}
