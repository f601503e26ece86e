import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { Type } from 'typebox'
import type { BlobStore } from '../../../platform/blobs/blobs.ts'
import type { Db } from '../../../platform/db/database.ts'
import { fits } from '../../../platform/http/validation.ts'
import type { RegistryService } from '../../registry/index.ts'

/** A pushed image as the archive that `docker save` would write. */
export interface Archive {
  readonly size: number
  readonly segments: readonly Segment[]
  readonly layers: readonly string[]
}

type Segment = { bytes: Buffer } | { digest: string; size: number }

const Part = Type.Object({ digest: Type.String(), size: Type.Integer({ minimum: 0 }) })
const Manifest = Type.Object({ config: Part, layers: Type.Array(Part) })

/**
 * Lays out the archive of a manifest, in the form of Docker 25, which is an OCI layout too: the same manifest gives the
 * same bytes for ever, so the checksum of an image holds. No names are in it: they may change, the image may not.
 * Source: OCI image specification 1.1, "Image Layout"; Docker image specification 1.2, "Combined Image JSON + Filesystem".
 */
export function archiveOf(manifest: { digest: string; mediaType: string; content: string }): Archive {
  const json: unknown = JSON.parse(manifest.content)
  if (!fits(Manifest, json)) throw new Error(`${manifest.digest} is no manifest of an image`)
  const bytes = Buffer.from(manifest.content)
  const entries = new Map<string, Segment>()
  for (const { digest, size } of [json.config, ...json.layers]) entries.set(nameOf(digest), { digest, size })
  entries.set(nameOf(manifest.digest), { bytes })
  const descriptor = { mediaType: manifest.mediaType, digest: manifest.digest, size: bytes.length }
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [descriptor],
  }
  const saved = {
    Config: nameOf(json.config.digest),
    RepoTags: null,
    Layers: json.layers.map(({ digest }) => nameOf(digest)),
  }
  // An OCI layout of other digests than sha256 finds no readers; the other form does not mind.
  if ([...entries.keys()].every((name) => name.startsWith('blobs/sha256/'))) {
    entries.set('index.json', { bytes: Buffer.from(JSON.stringify(index)) })
    entries.set('oci-layout', { bytes: Buffer.from('{"imageLayoutVersion":"1.0.0"}') })
  }
  entries.set('manifest.json', { bytes: Buffer.from(JSON.stringify([saved])) })

  const segments: Segment[] = []
  for (const [name, content] of entries) {
    const size = sizeOf(content)
    segments.push({ bytes: header(name, size) }, content)
    if (size % 512 > 0) segments.push({ bytes: Buffer.alloc(512 - (size % 512)) })
  }
  segments.push({ bytes: Buffer.alloc(1024) })
  const layers = [...new Set(json.layers.map(({ digest }) => digest))]
  return { size: segments.reduce((sum, segment) => sum + sizeOf(segment), 0), segments, layers }
}

const sizeOf = (segment: Segment): number => ('bytes' in segment ? segment.bytes.length : segment.size)

/** A name in a plain tar header has at most 100 bytes. */
function nameOf(digest: string): string {
  const [algorithm = '', hex = ''] = digest.split(':')
  return algorithm === 'sha256' ? `blobs/sha256/${hex}` : `${algorithm}-${hex.slice(0, 40)}`
}

/** Source: POSIX.1-2017, pax, "ustar Interchange Format"; sizes from 8 GiB on as GNU tar writes them. */
function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(512)
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  block.write(name, 0, 'latin1')
  octal(0o644, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  if (size < 8 ** 11) octal(size, 124, 12)
  else {
    block.writeUInt8(0x80, 124)
    block.writeBigUInt64BE(BigInt(size), 128)
  }
  octal(0, 136, 12)
  block.write('        0', 148, 'latin1') // the checksum counts as blanks; a regular file
  block.write('ustar\x0000', 257, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** Where an image's blobs are. */
export interface Source {
  blobs: BlobStore
  registry: Pick<RegistryService, 'findBlob'>
  db: Db
  repository: string
}

/** The archive's bytes from `start` to `end`, one piece in memory at a time. */
export function read(archive: Archive, source: Source, { start, end }: { start: number; end: number }): Readable {
  async function* pieces(): AsyncGenerator<Buffer> {
    let at = 0
    for (const segment of archive.segments) {
      const size = sizeOf(segment)
      const from = Math.max(0, start - at)
      const to = Math.min(size, end - at)
      at += size
      if (from >= to) continue
      if ('bytes' in segment) yield segment.bytes.subarray(from, to)
      else yield* await openBlob(source, segment.digest, { start: from, end: to })
    }
  }
  return Readable.from(pieces(), { objectMode: false, highWaterMark: 256 * 1024 })
}

async function openBlob(
  { blobs, registry, db, repository }: Source,
  digest: string,
  range?: { start: number; end: number },
): Promise<Readable> {
  const blob = await registry.findBlob(db, repository, digest)
  if (!blob) throw new Error(`${repository} lacks the blob ${digest}`)
  const { start, end } = range ?? { start: 0, end: blob.size }
  return blobs.open(blob.blobKey, { start: blob.offset + start, end: blob.offset + end })
}

export interface Checksums {
  md5: string
  sha512: string
  /** All layers, uncompressed; null where one is damaged, or a bomb. */
  unpackedBytes: number | null
}

export async function checksumsOf(archive: Archive, source: Source, signal: AbortSignal): Promise<Checksums> {
  const md5 = createHash('md5')
  const sha512 = createHash('sha512')
  for await (const chunk of read(archive, source, { start: 0, end: archive.size })) {
    signal.throwIfAborted()
    md5.update(chunk)
    sha512.update(chunk)
  }
  let unpackedBytes: number | null = 0
  for (const digest of archive.layers) {
    const size = await unpackedSize(source, digest, signal)
    unpackedBytes = size === null || unpackedBytes === null ? null : unpackedBytes + size
  }
  return { md5: md5.digest('hex'), sha512: sha512.digest('hex'), unpackedBytes }
}

/** As for uploaded archives: real layers pack to a third or a tenth. */
const bomb = { ratio: 200, bytes: 256 * 1024 * 1024 }

async function unpackedSize(source: Source, digest: string, signal: AbortSignal): Promise<number | null> {
  const blob = await source.registry.findBlob(source.db, source.repository, digest)
  if (!blob) return null
  const start = await openBlob(source, digest, { start: 0, end: Math.min(4, blob.size) })
  const magic = Buffer.concat(await start.toArray()).toString('hex')
  const unpack = magic.startsWith('1f8b') ? createGunzip() : magic === '28b52ffd' ? createZstdDecompress() : null
  if (!unpack) return blob.size
  const most = Math.max(blob.size * bomb.ratio, bomb.bytes)
  let size = 0
  try {
    await pipeline(
      await openBlob(source, digest),
      unpack,
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          size += chunk.length
          if (size > most) throw new Error('a bomb')
        }
      },
      { signal },
    )
    return size
  } catch {
    signal.throwIfAborted()
    return null
  }
}
