import { isoOf } from '../../../platform/clock.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { fetchOutward } from '../../../platform/http/outward.ts'
import * as imageRows from '../db/images.ts'
import * as importRows from '../db/imports.ts'
import * as locationRows from '../db/locations.ts'
import * as pieceRows from '../db/pieces.ts'
import { type Deps, dropFiles, type Image, repositoryOf } from './images.ts'
import { type Task, unstage } from './imports.ts'
import { claim } from './quotas.ts'
import { activate, examine, keyPrefix, receive, refuseTooLarge, slimmed } from './uploads.ts'

/** Upstream's `task_time_to_live`: how long an ended task can still be read. */
const keptMs = 48 * 3_600_000
/** A web server that goes on for longer is given up. */
const downloadMs = 6 * 3_600_000

const gone = (id: string): CloudError => new CloudError('gone', `Image ${id} was deleted during the import.`)

/** Does, or does again, what a task says. All it changes of the image, it changes in one transaction at its end. */
export async function carryOut(deps: Deps, task: Task, signal: AbortSignal): Promise<'success' | 'failure'> {
  const { database, clock } = deps
  const move: Move = (trx, status, message = '') =>
    importRows.moveTask(trx, task.id, {
      status,
      message,
      result: status === 'success' ? { image_id: task.imageId } : null,
      updatedAt: clock.now(),
      expiresAt: status === 'processing' ? null : isoOf(clock.nowMs() + keptMs),
    })
  try {
    await database.write((trx) => move(trx, 'processing'))
    faultPoint('image.import.processing')
    const { name, uri } = methodOf(task)
    if (name === 'copy-image') await copyAll(deps, task, move)
    else if (name === 'glance-download') await becomeLike(deps, task, move)
    else {
      const there = await importRows.findStaging(database.read, task.imageId)
      await publish(deps, task, there ?? (await download(deps, task.imageId, uri, signal)), move)
    }
    faultPoint('image.import.committed')
    return 'success'
  } catch (thrown) {
    // What is no fault of the data (a database that is away, our own end) is tried again at the next round.
    if (!(thrown instanceof CloudError) || signal.aborted) throw thrown
    await database.write(async (trx) => {
      await move(trx, 'failure', messageOf(thrown))
      await locationRows.removeUnready(trx, task.imageId)
      const image = await imageRows.find(trx, task.imageId)
      if (image?.status === 'importing') await unstage(trx, task.imageId, image.uploadKey)
    })
    faultPoint('image.import.refused')
    // The file goes with the next sweep, which also knows whether another image's row names it.
    return 'failure'
  }
}

type Move = (trx: Trx, status: 'processing' | 'success' | 'failure', message?: string) => Promise<void>

export function methodOf(task: Task): { name: string; uri: string } {
  const { method } = (task.input.import_req ?? {}) as { method?: Record<string, unknown> }
  return { name: String(method?.name), uri: String(method?.uri) }
}

/** From elsewhere into a file that the image's row names first. */
async function download(deps: Deps, id: string, uri: string, signal: AbortSignal): Promise<importRows.Staging> {
  const { database, blobs, receiving, clock } = deps
  const key = blobs.newKey(keyPrefix)
  receiving.add(key)
  try {
    const fetched = await fetchOutward(uri, deps.outward, AbortSignal.any([signal, AbortSignal.timeout(downloadMs)]))
    try {
      refuseTooLarge(deps, fetched.length ?? undefined)
      await database.write(async (trx) => {
        const image = await imageRows.find(trx, id)
        if (image?.status !== 'importing') throw gone(id)
        await claim(deps, trx, image, { stagedBytes: fetched.length })
        await imageRows.save(trx, { ...image, uploadKey: key })
      })
      const { size, md5, sha512 } = await receive(deps, fetched.body, key)
      if (fetched.length !== null && fetched.length !== size)
        throw new CloudError('badRequest', `The server broke off after ${size} of ${fetched.length} bytes.`)
      const staging = { imageId: id, key, size, md5, sha512 }
      await database.write(async (trx) => {
        const image = await imageRows.find(trx, id)
        if (image?.status !== 'importing' || image.uploadKey !== key) throw gone(id)
        await claim(deps, trx, image, { stagedBytes: size })
        await importRows.insertStaging(trx, staging)
        await imageRows.save(trx, { ...image, size, updatedAt: clock.now() })
      })
      return staging
    } finally {
      fetched.body.destroy()
    }
  } finally {
    receiving.delete(key)
  }
}

/** Staged data → the image's, in every store that was asked for. */
async function publish(deps: Deps, task: Task, staging: importRows.Staging, move: Move): Promise<void> {
  const { database, blobs } = deps
  const id = task.imageId
  const image = await imageRows.find(database.read, id)
  if (image?.status !== 'importing') throw gone(id)
  const examined = await examine(deps, image, staging.key)
  faultPoint('image.import.indexed')
  const wanted = task.detail?.stores ?? []
  const here = blobs.storeOf(staging.key)
  const { failed } = await copyTo(
    deps,
    task,
    staging.key,
    wanted.filter((store) => store !== here),
  )
  const found = await slimmed(deps, image, staging.key, examined)
  const file = await database.write(async (trx) => {
    const now = await imageRows.find(trx, id)
    if (now?.status !== 'importing' || now.uploadKey !== staging.key) throw gone(id)
    const [first] = now.copies
    const isHere = wanted.length === 0 || wanted.includes(here)
    if (!isHere && !first) throw new CloudError('badRequest', `The data could not be stored in ${wanted.join(', ')}.`)
    const key = isHere || !first ? staging.key : first.key
    if (!isHere && first) await locationRows.remove(trx, id, first.store)
    const kept = await activate(deps, trx, now, { ...staging, key }, found)
    await importRows.removeStaging(trx, id)
    await move(trx, 'success', failed.length > 0 ? `Not stored in ${failed.join(', ')}.` : '')
    return kept
  })
  if (file !== staging.key) await dropFiles(deps, [staging.key])
}

async function copyAll(deps: Deps, task: Task, move: Move): Promise<void> {
  const image = await imageRows.find(deps.database.read, task.imageId)
  if (!image || image.blobKey === null) throw gone(task.imageId)
  const missing = (task.detail?.stores ?? []).filter((store) => !image.copies.some((copy) => copy.store === store))
  const { failed } = await copyTo(deps, task, image.blobKey, missing)
  await deps.database.write((trx) =>
    move(trx, 'success', failed.length > 0 ? `Not stored in ${failed.join(', ')}.` : ''),
  )
}

/** Each copy is named before it exists, and counts when it is whole. @throws CloudError where all must succeed */
async function copyTo(deps: Deps, task: Task, from: string, stores: readonly string[]): Promise<{ failed: string[] }> {
  const { database, blobs, log } = deps
  const failed: string[] = []
  for (const store of stores) {
    const copy = { imageId: task.imageId, store, key: blobs.newKey(keyPrefix, store) }
    await database.write(async (trx) => {
      const image = await imageRows.find(trx, task.imageId)
      if (!image) throw gone(task.imageId)
      // An earlier attempt's place is given back first.
      await locationRows.remove(trx, task.imageId, store)
      await claim(deps, trx, image, { bytes: image.size })
      await locationRows.begin(trx, copy)
    })
    try {
      const source = await blobs.open(from)
      // A store that fails before it reads leaves the stream to us, with a file open behind it.
      await blobs.put(source, { key: copy.key, sha256Only: true }).finally(() => source.destroy())
    } catch (thrown) {
      log.warn({ image: task.imageId, store, reason: messageOf(thrown) }, 'a copy could not be made')
      const isEnough = task.detail?.allMustSucceed === false
      await database.write(async (trx) => {
        for (const one of isEnough ? [store] : stores) await locationRows.remove(trx, task.imageId, one)
      })
      if (!isEnough)
        throw new CloudError('badRequest', `The data could not be stored in ${store}: ${messageOf(thrown)}`)
      failed.push(store)
      continue
    }
    if (!(await database.write((trx) => locationRows.ready(trx, copy)))) throw gone(task.imageId)
  }
  return { failed }
}

/** Properties that travel with the data. Source: Glance configuration guide, "glance_download_properties". */
const inherited = ['hw_', 'trait:', 'os_distro', 'os_secure_boot', 'os_type']

/** The same data as another image of this cloud has: no byte is copied. */
async function becomeLike(deps: Deps, task: Task, move: Move): Promise<void> {
  const { database, registry, clock } = deps
  const sourceId = task.detail?.sourceId ?? null
  await database.write(async (trx) => {
    const source: Image | undefined = sourceId === null ? undefined : await imageRows.find(trx, sourceId)
    if (source?.status !== 'active') throw new CloudError('notFound', 'The remote image could not be found.')
    const image = await imageRows.find(trx, task.imageId)
    if (image?.status !== 'importing') throw gone(task.imageId)
    if (source.manifestDigest !== null) {
      const from = repositoryOf(source.id)
      const { digests } = await registry.contents(trx, from)
      await registry.link(trx, { from, to: repositoryOf(image.id), manifest: source.manifestDigest, digests })
      await pieceRows.insert(trx, image.id, await pieceRows.list(trx, source.id))
    }
    const own = Object.entries(source.properties).filter(([name]) => inherited.some((start) => name.startsWith(start)))
    const { diskFormat, containerFormat, size, virtualSize, checksum, osHashAlgo, osHashValue } = source
    await claim(deps, trx, image, { bytes: size })
    await imageRows.save(trx, {
      ...image,
      ...{ diskFormat, containerFormat, size, virtualSize, checksum, osHashAlgo, osHashValue },
      status: 'active',
      updatedAt: clock.now(),
      blobKey: source.blobKey,
      uploadKey: null,
      uploader: null,
      configDigest: source.configDigest,
      manifestDigest: source.manifestDigest,
      properties: { ...image.properties, ...Object.fromEntries(own) },
    })
    await move(trx, 'success')
  })
}
