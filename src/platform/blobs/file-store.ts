import { createHash } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { type FileHandle, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { systemClock } from '../clock.ts'
import { CloudError, NotFound } from '../errors.ts'
import { newHexId } from '../ids.ts'
import type { Logger } from '../log.ts'
import type { BlobReader, BlobStore, PutOptions, Stored } from './blobs.ts'
import { feed } from './feed.ts'

/**
 * Opens (and makes, 0700) a store in `dir`: `data/<last two characters of the key>/<key>`, and `tmp/` for what is being
 * written. Whatever an earlier process left in `tmp/` is removed: nobody can be writing it any more.
 */
export async function openFileBlobs(dir: string, log: Logger): Promise<BlobStore> {
  const data = join(dir, 'data')
  const tmp = join(dir, 'tmp')
  await mkdir(data, { recursive: true, mode: 0o700 })
  await mkdir(tmp, { recursive: true, mode: 0o700 })
  const stale = await readdir(tmp)
  await Promise.all(stale.map((name) => rm(join(tmp, name), { force: true, recursive: true })))
  if (stale.length > 0) log.info({ files: stale.length }, 'removed half-written blobs of an earlier process')

  const folder = (key: string) => join(data, checked(key).slice(-2))
  const path = (key: string) => join(folder(key), key)

  return {
    stores: [{ id: localStore, type: 'file', description: 'this machine', properties: { data_dir: data } }],
    newKey: (prefix) => `${prefix}${newHexId()}`,
    storeOf: () => localStore,
    reader: (key) => openReader(path(key), key),

    async put(source, options = {}) {
      const key = checked(options.key ?? newHexId())
      const half = join(tmp, newHexId())
      try {
        const stored = await write(half, source, key, options)
        // The folder's own entry must be on disk before a row may name what is in it.
        if (await mkdir(folder(key), { recursive: true, mode: 0o700 })) await syncFolder(data)
        await link(half, path(key)) // unlike rename, refuses to replace
        await syncFolder(folder(key))
        return stored
      } catch (thrown) {
        throw understood(thrown, key)
      } finally {
        await rm(half, { force: true })
      }
    },

    async open(key, range) {
      const file = await openExisting(path(key), key)
      if (!range) return file.createReadStream({ highWaterMark: readBytes })
      if (range.end > range.start)
        return file.createReadStream({
          start: range.start,
          end: range.end - 1,
          highWaterMark: Math.min(readBytes, range.end - range.start), // what is small takes little memory
        })
      await file.close()
      return Readable.from([])
    },

    async size(key) {
      try {
        return (await stat(path(key))).size
      } catch (thrown) {
        throw understood(thrown, key)
      }
    },

    async remove(key) {
      await rm(path(key), { force: true })
    },

    async *list() {
      for (const shard of await readdir(data)) {
        for (const entry of await entriesOf(join(data, shard))) {
          if (!entry.isFile()) continue
          const found = await stat(join(data, shard, entry.name)).catch(() => null) // removed meanwhile
          if (found) yield { key: entry.name, ageMs: Math.max(0, systemClock.nowMs() - found.mtimeMs) }
        }
      }
    },
  }
}

/** What the file store is called among stores. */
export const localStore = 'local'

/** Large enough that a disk streams, small enough that a thousand readers fit in memory. */
const readBytes = 256 * 1024

/** A call to the disk costs more than hashing what a socket gives at once, so several pieces go together. */
const batchBytes = 256 * 1024
const batchPieces = 64

/** Writes and hashes `source`. One batch is in flight while the next gathers: the disk's pace is the sender's pace. */
async function write(path: string, source: Readable, key: string, options: PutOptions): Promise<Stored> {
  const names = ['sha256', ...(options.sha256Only ? [] : ['md5', 'sha512'])]
  const hashes = names.map((name) => createHash(name))
  let size = 0
  const ignore = () => {}
  const chunks = feed(source, options)
  const file = await open(path, 'wx', 0o600)
  let batch: Buffer[] = []
  let gathered = 0
  let written: Promise<void> = Promise.resolve()
  try {
    for await (const bytes of chunks) {
      size += bytes.length
      for (const hash of hashes) hash.update(bytes) // while the disk works
      batch.push(bytes)
      gathered += bytes.length
      if (gathered < batchBytes && batch.length < batchPieces) continue
      await written
      written = writeAll(file, batch)
      written.catch(ignore) // heard of at the next `await`
      batch = []
      gathered = 0
    }
    await written
    await writeAll(file, batch)
    await file.sync()
  } finally {
    await written.catch(ignore) // the file must not be closed under it
    await file.close()
  }
  const [sha256 = '', md5 = '', sha512 = ''] = hashes.map((hash) => hash.digest('hex'))
  return { key, size, sha256, md5, sha512 }
}

/** A disk that fills up first writes a part, and only then says ENOSPC. */
async function writeAll(file: FileHandle, pieces: readonly Buffer[]): Promise<void> {
  let left = pieces.filter(({ length }) => length > 0)
  while (left.length > 0) {
    let { bytesWritten: done } = await file.writev(left)
    const at = left.findIndex(({ length }) => {
      if (length > done) return true
      done -= length
      return false
    })
    left = at < 0 ? [] : [left[at]!.subarray(done), ...left.slice(at + 1)]
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** A file to be read here and there. @throws NotFound that names `key` */
export async function openReader(path: string, key: string): Promise<BlobReader> {
  const file = await openExisting(path, key)
  try {
    const { size } = await file.stat()
    return {
      size,
      async read(offset, length) {
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, offset)
        return buffer.subarray(0, bytesRead)
      },
      close: () => file.close(),
    }
  } catch (thrown) {
    await file.close()
    throw thrown
  }
}

async function openExisting(path: string, key: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (thrown) {
    throw understood(thrown, key)
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(() => [])
}

/** Keys become file names: no dots, no slashes. */
function checked(key: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_:-]{1,199}$/.test(key)) throw new CloudError('badRequest', `Not a blob key: ${key}`)
  return key
}

function understood(thrown: unknown, key: string): unknown {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new CloudError('noSpace', 'There is no space left on the disk that would keep this data.', { cause: thrown })
  if (code === 'ENOENT') return new NotFound('Blob', key, { cause: thrown })
  if (code === 'EEXIST') return new CloudError('conflict', `Blob ${key} exists already.`, { cause: thrown })
  return thrown
}
