import type { Readable } from 'node:stream'
import type { Context } from '../../../platform/auth/context.ts'
import { isoOf } from '../../../platform/clock.ts'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { newHexId, newId } from '../../../platform/ids.ts'
import * as imageRows from '../db/images.ts'
import * as importRows from '../db/imports.ts'
import { type ArchiveIndex, indexArchive } from './archive.ts'
import { type Allow, type Deps, get } from './images.ts'
import { isContainer } from './schema.ts'
import { activate, keyPrefix, receive, refuseTooLarge } from './uploads.ts'

export type Task = importRows.Task

/** How data may come besides by upload. */
export const importMethods = ['glance-direct'] as const

/** Upstream's `task_time_to_live`: how long an ended task can still be read. */
const keptMs = 48 * 3_600_000

/** Receives data without making it the image's yet: `queued` → `uploading`. A refused or broken one leaves nothing. */
export async function stage(
  deps: Deps,
  ctx: Context,
  id: string,
  data: Readable,
  announcedBytes: number | undefined,
  allow: Allow,
): Promise<void> {
  const key = `${keyPrefix}${newHexId()}`
  deps.receiving.add(key)
  try {
    await deps.database.write(async (trx) => {
      const image = await get(trx, ctx, id)
      allow('modify_image', image)
      if (image.status !== 'queued') {
        throw new CloudError('conflict', `Image status transition from ${image.status} to uploading is not allowed`)
      }
      refuseTooLarge(deps, announcedBytes)
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
async function unstage(trx: Trx, id: string, key: string): Promise<void> {
  const image = await imageRows.find(trx, id)
  if (image?.uploadKey !== key || (image.status !== 'uploading' && image.status !== 'importing')) return
  await importRows.removeStaging(trx, id)
  await imageRows.save(trx, { ...image, status: 'queued', size: null, uploadKey: null, uploader: null })
}

/** Records the wish: `uploading` → `importing`, and a task; the loop does it. */
export async function request(
  { database, clock }: Deps,
  ctx: Context,
  id: string,
  body: Record<string, unknown>,
  allow: Allow,
): Promise<void> {
  refuseUnknownMethod(body)
  await database.write(async (trx) => {
    const image = await get(trx, ctx, id)
    const refuse = (message: string) => new CloudError('conflict', message)
    if (image.status === 'active') throw refuse('Image with status active cannot be target for import')
    if (image.status === 'importing') {
      throw refuse(`New operation on image '${id}' is not permitted as prior operation is still in progress`)
    }
    if (image.status !== 'uploading' || !(await importRows.findStaging(trx, id))) {
      throw refuse("Image needs to be staged before 'glance-direct' method can be used")
    }
    if (!image.containerFormat) throw refuse("'container_format' needs to be set before import")
    if (!image.diskFormat) throw refuse("'disk_format' needs to be set before import")
    allow('modify_image', image)
    const now = clock.now()
    await imageRows.save(trx, { ...image, status: 'importing', updatedAt: now })
    await importRows.insertTask(trx, {
      id: newId(),
      imageId: id,
      type: 'api_image_import',
      status: 'pending',
      owner: ctx.projectId ?? '',
      userId: ctx.userId,
      requestId: ctx.requestId,
      input: { image_id: id, import_req: body, backend: [null] },
      result: null,
      message: '',
      createdAt: now,
      updatedAt: now,
      expiresAt: null,
    })
  })
  faultPoint('image.import.requested')
}

function refuseUnknownMethod(body: Record<string, unknown>): void {
  const refuse = (message: string) => new CloudError('badRequest', message)
  const { method } = body
  if (typeof method !== 'object' || method === null) throw refuse("Import request requires a 'method' field.")
  if (!('name' in method)) throw refuse("Import request requires a 'name' field.")
  if (!importMethods.some((one) => one === method.name)) {
    throw refuse(`Unknown import method name '${String(method.name)}'.`)
  }
  for (const key of ['all_stores_must_succeed', 'all_stores']) {
    if (body[key] !== undefined && typeof body[key] !== 'boolean') throw refuse(`'${key}' must be boolean value only`)
  }
  if (body.all_stores_must_succeed === false) {
    throw refuse('All_stores_must_succeed can only be set where there are several stores.')
  }
}

/** Does, or does again, what a task says. All it changes, it changes in one transaction at its end. */
export async function carryOut(deps: Deps, task: Task): Promise<'success' | 'failure'> {
  const { database, blobs, clock } = deps
  const move = (trx: Trx, status: 'processing' | 'success' | 'failure', message = '') =>
    importRows.moveTask(trx, task.id, {
      status,
      message,
      result: status === 'success' ? { image_id: task.imageId } : null,
      updatedAt: clock.now(),
      expiresAt: status === 'processing' ? null : isoOf(clock.nowMs() + keptMs),
    })
  const staging = await importRows.findStaging(database.read, task.imageId)
  try {
    await database.write((trx) => move(trx, 'processing'))
    faultPoint('image.import.processing')
    const image = await imageRows.find(database.read, task.imageId)
    if (!image || !staging) throw new CloudError('gone', `Image ${task.imageId} was deleted during the import.`)
    let index: ArchiveIndex | null = null
    if (isContainer(image.containerFormat)) index = await indexArchive(blobs.path(staging.key))
    faultPoint('image.import.indexed')
    await database.write(async (trx) => {
      const now = await imageRows.find(trx, task.imageId)
      if (now?.status !== 'importing' || now.uploadKey !== staging.key) {
        throw new CloudError('gone', `Image ${task.imageId} was deleted during the import.`)
      }
      await activate(deps, trx, now, staging, index)
      await importRows.removeStaging(trx, task.imageId)
      await move(trx, 'success', '')
    })
    faultPoint('image.import.committed')
    return 'success'
  } catch (thrown) {
    // What is no fault of the data (a database that is away) is tried again at the next round.
    if (!(thrown instanceof CloudError)) throw thrown
    await database.write(async (trx) => {
      await move(trx, 'failure', messageOf(thrown))
      if (staging) await unstage(trx, task.imageId, staging.key)
    })
    faultPoint('image.import.refused')
    // The file goes with the next sweep, which also knows whether another image's row names it.
    return 'failure'
  }
}
