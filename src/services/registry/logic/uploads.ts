import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Stored } from '../../../platform/blobs/blobs.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { newHexId, newId } from '../../../platform/ids.ts'
import * as pushed from '../db/pushed.ts'
import * as repositories from '../db/repositories.ts'
import * as scrubs from '../db/scrubs.ts'
import * as uploadRows from '../db/uploads.ts'
import type { Deps } from './deps.ts'
import { algorithmOf } from './digests.ts'
import { OutOfOrder, refusals } from './refusals.ts'

/** Pushed files are told from others in the same store by this. */
export const keyPrefix = 'push-'

/** What a chunk says of itself. */
export interface Chunk {
  body: Readable
  /** From `Content-Range`; null where it is not said, and what comes is appended. */
  start: number | null
  /** From `Content-Range` or `Content-Length`; null where it is not said. */
  length: number | null
}

export async function begin({ database, clock }: Deps, repository: string): Promise<uploadRows.Upload> {
  const id = newId()
  await database.write((trx) => uploadRows.insert(trx, { id, repository }, clock.nowMs()))
  return { id, repository, size: 0 }
}

/** @throws CloudError BLOB_UPLOAD_UNKNOWN */
export async function get({ database }: Deps, repository: string, id: string): Promise<uploadRows.Upload> {
  const upload = await uploadRows.find(database.read, repository, id)
  if (!upload) throw refusals.uploadUnknown()
  return upload
}

export async function cancel(deps: Deps, repository: string, id: string): Promise<void> {
  const parts = await deps.database.write(async (trx) => {
    if (!(await uploadRows.find(trx, repository, id))) throw refusals.uploadUnknown()
    const found = await uploadRows.parts(trx, id)
    await uploadRows.remove(trx, id)
    return found
  })
  await drop(deps, parts)
}

/**
 * Adds a chunk, and answers how much is there now. Of a chunk that is cut off, what came is kept: the client asks how
 * far it got and goes on from there. @throws OutOfOrder
 */
export async function append(deps: Deps, repository: string, id: string, chunk: Chunk): Promise<number> {
  const { database, clock, uploader, receiving } = deps
  const key = `${keyPrefix}${newHexId()}`
  receiving.add(key)
  try {
    const start = await database.write(async (trx) => {
      const upload = await uploadRows.find(trx, repository, id)
      if (!upload) throw refusals.uploadUnknown()
      if (chunk.start !== null && chunk.start !== upload.size) throw new OutOfOrder(upload.size)
      const parts = await uploadRows.parts(trx, id)
      if (parts.some((part) => part.size === null)) throw refusals.uploadInvalid('another chunk is being received')
      await uploadRows.addPart(trx, { key, uploadId: id, start: upload.size, uploader }, clock.nowMs())
      return upload.size
    })
    faultPoint('registry.upload.named')
    return await receive(deps, id, key, start, chunk)
  } finally {
    receiving.delete(key)
  }
}

/** The longest silence of a sender; without it one that lost its power would keep the upload busy for ever. */
const idleMs = 120_000

async function receive(deps: Deps, id: string, key: string, start: number, chunk: Chunk): Promise<number> {
  const { database, clock, blobs, sizeMaxBytes } = deps
  const came = { cut: null as unknown }
  const most = sizeMaxBytes > 0 ? sizeMaxBytes - start : Number.POSITIVE_INFINITY
  let stored: Stored
  try {
    if (chunk.length !== null && chunk.length > most) throw refusals.tooLarge(sizeMaxBytes)
    const limits = most === Number.POSITIVE_INFINITY ? {} : { maxBytes: most }
    stored = await blobs.put(whatCame(chunk.body, came), { key, sha256Only: true, idleMs, ...limits })
  } catch (thrown) {
    await database.write((trx) => uploadRows.removePart(trx, key))
    await blobs.remove(key)
    throw thrown instanceof CloudError && thrown.kind === 'tooLarge' ? refusals.tooLarge(sizeMaxBytes) : thrown
  }
  faultPoint('registry.upload.stored')
  const { size, sha256 } = stored
  const isWrong = came.cut === null && chunk.length !== null && chunk.length !== size
  const isKept = await database.write(async (trx) => {
    if (size > 0 && !isWrong) return uploadRows.endPart(trx, { key, uploadId: id, size, sha256 }, clock.nowMs())
    await uploadRows.removePart(trx, key)
    return null
  })
  if (!isKept) await blobs.remove(key)
  if (isKept === false) throw refusals.uploadUnknown() // cancelled meanwhile
  if (isWrong) throw refusals.sizeInvalid(`the chunk has ${size} bytes, where ${chunk.length} are announced`)
  if (came.cut !== null)
    throw new CloudError('badRequest', 'The chunk was broken off.', { cause: came.cut, type: 'BLOB_UPLOAD_INVALID' })
  faultPoint('registry.upload.noted')
  return start + size
}

/** Ends where the source breaks off, and notes why. */
function whatCame(source: Readable, came: { cut: unknown }): Readable {
  async function* chunks() {
    try {
      for await (const chunk of source.iterator({ destroyOnReturn: false })) yield chunk
    } catch (thrown) {
      came.cut = thrown
    }
  }
  return Readable.from(chunks(), { highWaterMark: 2 })
}

/**
 * Makes a blob of what was uploaded. The file of an only chunk becomes the blob as it is; where the store has the bytes
 * already, however they came, they are not kept twice. @throws CloudError DIGEST_INVALID, and the upload is gone
 */
export async function finish(deps: Deps, repository: string, id: string, digest: string): Promise<void> {
  const { database, clock } = deps
  await get(deps, repository, id)
  const whole = await assemble(deps, id)
  faultPoint('registry.upload.whole')
  const found = await digestIn(deps, whole, algorithmOf(digest))
  if (found !== digest) {
    await cancel(deps, repository, id)
    throw refusals.digestInvalid(`${digest}; what was uploaded has ${found}`)
  }
  const unused = await database.write(async (trx) => {
    if (!(await uploadRows.find(trx, repository, id))) throw refusals.uploadUnknown()
    const parts = await uploadRows.parts(trx, id)
    const isBad = await scrubs.isBad(trx, digest)
    const known = isBad ? null : await pushed.findAnywhere(trx, digest)
    const placed = known ?? { blobKey: whole.key, offset: 0, size: whole.size }
    if (isBad) {
      await repositories.mend(trx, digest, placed)
      await scrubs.note(trx, digest, false, clock.nowMs())
    }
    await pushed.addBlob(trx, repository, digest, placed, clock.nowMs())
    await uploadRows.remove(trx, id)
    return [...parts, { key: whole.key }].filter(({ key }) => key !== placed.blobKey)
  })
  faultPoint('registry.upload.committed')
  await drop(deps, unused)
}

interface Whole {
  key: string
  size: number
  sha256: string
}

/** One file of all the parts. */
async function assemble(deps: Deps, id: string): Promise<Whole> {
  const { database, clock, blobs, uploader, receiving } = deps
  const parts = (await uploadRows.parts(database.read, id)).filter((part) => part.start >= 0)
  if (parts.some((part) => part.size === null)) throw refusals.uploadInvalid('a chunk is still being received')
  const [only, ...more] = parts
  // Chunks are kept on this machine; a blob goes where the first store is.
  const [first] = blobs.stores
  if (only && more.length === 0 && blobs.storeOf(only.key) === first?.id)
    return { key: only.key, size: only.size ?? 0, sha256: only.sha256 ?? '' }
  const key = blobs.newKey(keyPrefix)
  receiving.add(key)
  try {
    await database.write((trx) => uploadRows.addPart(trx, { key, uploadId: id, start: -1, uploader }, clock.nowMs()))
    async function* all() {
      for (const part of parts) yield* await blobs.open(part.key)
    }
    const source = Readable.from(all(), { highWaterMark: 2 })
    const { size, sha256 } = await blobs.put(source, { key, sha256Only: true }).finally(() => source.destroy())
    return { key, size, sha256 }
  } catch (thrown) {
    await database.write((trx) => uploadRows.removePart(trx, key))
    throw thrown
  } finally {
    receiving.delete(key)
  }
}

async function digestIn({ blobs }: Deps, whole: Whole, algorithm: 'sha256' | 'sha512'): Promise<string> {
  if (algorithm === 'sha256') return `sha256:${whole.sha256}`
  const hash = createHash('sha512')
  for await (const chunk of await blobs.open(whole.key)) hash.update(chunk)
  return `sha512:${hash.digest('hex')}`
}

/** Makes a blob that the caller can read elsewhere available here. False when it is not there. */
export async function mount(deps: Deps, from: readonly string[], to: string, digest: string): Promise<boolean> {
  const { database, clock } = deps
  return database.write(async (trx) => {
    for (const repository of from) {
      const blob = await repositories.findBlob(trx, repository, digest)
      if (!blob) continue
      await pushed.addBlob(trx, to, digest, blob, clock.nowMs())
      return true
    }
    return false
  })
}

/** What no row names any more. */
async function drop({ database, blobs }: Deps, files: readonly { key: string }[]): Promise<void> {
  const keys = files.map(({ key }) => key)
  const used = await pushed.keysInUse(database.read, keys) // the failure may have been a commit whose answer was lost
  await Promise.all(keys.filter((key) => !used.has(key)).map((key) => blobs.remove(key)))
}
