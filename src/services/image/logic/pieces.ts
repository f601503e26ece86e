import { Readable } from 'node:stream'
import type { Db, Trx } from '../../../platform/db/database.ts'
import * as imageRows from '../db/images.ts'
import * as locationRows from '../db/locations.ts'
import * as pieceRows from '../db/pieces.ts'
import type { ArchiveBlob, ArchiveIndex } from './archive.ts'
import { type Deps, dropFiles, type Image, repositoryOf } from './images.ts'
import { archiveOf, read } from './synthetic.ts'

/** An archive without the layers that the store had before it came. */
export interface Slim {
  /** The file of what is left. */
  key: string
  pieces: pieceRows.Piece[]
  /** Where in that file; those of the others are where they were. */
  own: ArchiveBlob[]
  shared: ArchiveBlob[]
}

/** Smaller ones are not worth a second file. */
const worthBytes = 64 * 1024
/** A name for the row that names the file before it exists; no store is called so. */
const slot = '#slim'

/**
 * Writes what of a stored archive is new into a file of its own. The archive itself stays for as long as the caller needs
 * it. Null where there is nothing to gain. Where images can be in several stores, every copy is whole.
 */
export async function slim(deps: Deps, id: string, key: string, index: ArchiveIndex): Promise<Slim | null> {
  const { database, registry, blobs } = deps
  if (blobs.stores.length > 1) return null
  const shared: ArchiveBlob[] = []
  for (const blob of index.blobs) {
    if (blob.size < worthBytes) continue
    const known = await registry.findAnywhere(database.read, blob.digest)
    if (known && known.blobKey !== key) shared.push(blob)
  }
  if (shared.length === 0) return null
  const pieces = cut(await blobs.size(key), shared)
  const kept = pieces.filter(({ digest }) => digest === null)
  const copy = { imageId: id, store: slot, key: blobs.newKey('image-') }
  deps.receiving.add(copy.key)
  try {
    await database.write((trx) => locationRows.begin(trx, copy))
    async function* rest() {
      for (const { start, size } of kept) yield* await blobs.open(key, { start, end: start + size })
    }
    const source = Readable.from(rest(), { highWaterMark: 2 })
    await blobs.put(source, { key: copy.key, sha256Only: true }).finally(() => source.destroy())
  } finally {
    deps.receiving.delete(copy.key)
  }
  const places = new Set(shared.map(({ digest }) => digest))
  const own = index.blobs
    .filter(({ digest }) => !places.has(digest))
    .map((blob) => {
      const piece = kept.find(({ start, size }) => start <= blob.offset && blob.offset + blob.size <= start + size)
      if (!piece) throw new Error(`${blob.digest} is in no piece of ${key}`)
      return { ...blob, offset: blob.offset - piece.start + piece.fileOffset }
    })
  return { key: copy.key, pieces, own, shared }
}

/** The whole, in pieces: what others have, and between them what is the image's own. */
function cut(size: number, shared: readonly ArchiveBlob[]): pieceRows.Piece[] {
  const pieces: pieceRows.Piece[] = []
  let at = 0
  let fileOffset = 0
  const own = (to: number) => {
    if (to > at) pieces.push({ start: at, size: to - at, digest: null, fileOffset })
    fileOffset += Math.max(0, to - at)
  }
  for (const { digest, offset, size: length } of shared.toSorted((a, b) => a.offset - b.offset)) {
    own(offset)
    pieces.push({ start: offset, size: length, digest, fileOffset: 0 })
    at = offset + length
  }
  own(size)
  return pieces
}

/** The rows of `slim`; false when somebody else's layers went meanwhile, and nothing was written. */
export async function commitSlim({ registry }: Deps, trx: Trx, id: string, slimmed: Slim, index: ArchiveIndex) {
  const places = []
  for (const { digest, mediaType } of slimmed.shared) {
    const place = await registry.findAnywhere(trx, digest)
    if (!place) return false
    places.push({ digest, mediaType, offset: place.offset, size: place.size, blobKey: place.blobKey })
  }
  await locationRows.remove(trx, id, slot)
  await pieceRows.insert(trx, id, slimmed.pieces)
  const own = slimmed.own.map((blob) => ({ ...blob, blobKey: slimmed.key }))
  await registry.publish(trx, repositoryOf(id), { manifest: index.manifest, blobs: [...own, ...places] })
  return true
}

/** Gives up what `slim` wrote; its file goes with the next sweep. */
export const dropSlim = (trx: Trx, id: string): Promise<void> => locationRows.remove(trx, id, slot)

/** How to read an image's data; null where there is none. */
export async function dataOf(
  { blobs, registry, database }: Pick<Deps, 'blobs' | 'registry' | 'database'>,
  image: Image,
): Promise<((range: { start: number; end: number }) => Promise<Readable>) | null> {
  const { id, blobKey, manifestDigest } = image
  const db: Db = database.read
  const repository = repositoryOf(id)
  const source = { blobs, registry, db, repository }
  if (blobKey !== null) {
    const pieces = await pieceRows.list(db, id)
    if (pieces.length === 0) return (range) => blobs.open(blobKey, range)
    return async ({ start, end }) => {
      async function* all() {
        for (const piece of pieces) {
          const from = Math.max(0, start - piece.start)
          const to = Math.min(piece.size, end - piece.start)
          if (from >= to) continue
          if (piece.digest === null) {
            yield* await blobs.open(blobKey as string, { start: piece.fileOffset + from, end: piece.fileOffset + to })
            continue
          }
          const place = await registry.findBlob(db, repository, piece.digest)
          if (!place) throw new Error(`${repository} lacks the blob ${piece.digest}`)
          yield* await blobs.open(place.blobKey, { start: place.offset + from, end: place.offset + to })
        }
      }
      return Readable.from(all(), { objectMode: false, highWaterMark: 256 * 1024 })
    }
  }
  const manifest = manifestDigest === null ? null : await registry.findManifest(db, repository, manifestDigest)
  if (!manifest) return null
  const archive = archiveOf(manifest)
  return async (range) => read(archive, source, range)
}

/** Gives what repositories still have of images that are gone files of their own, so that the rest can go. */
export async function adoptLent(deps: Deps, keys: readonly string[]): Promise<void> {
  const named = await imageRows.keysInUse(deps.database.read, keys)
  const orphans = keys.filter((key) => !named.has(key))
  for (const key of orphans) await deps.registry.adopt(key)
  await dropFiles(deps, orphans)
}
