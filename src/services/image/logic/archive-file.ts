import { createHash, type Hash } from 'node:crypto'
import { posix } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { type Static, type TSchema, Type } from 'typebox'
import type { BlobReader, Digest } from '../../../platform/blobs/blobs.ts'
import { CloudError } from '../../../platform/errors.ts'
import { fits, misfit } from '../../../platform/http/validation.ts'
import { bad, readTar, type TarEntry } from './tar.ts'

/** A range of a stored archive that is a blob of its image. */
export interface ArchiveBlob {
  digest: Digest
  mediaType: string
  offset: number
  size: number
}

/** What makes an archive an image that an engine can pull. */
export interface ArchiveIndex {
  layout: 'docker' | 'oci'
  manifest: { mediaType: string; digest: Digest; content: string }
  /** The engine's id of the image. */
  configDigest: Digest
  /** Config and layers, each digest once. */
  blobs: ArchiveBlob[]
  /** As the config says: `linux`, `amd64`. */
  os: string
  architecture: string
  /** Bytes of all layers, uncompressed. */
  unpackedBytes: number
}

/** Metadata is read into memory: config, manifests and indexes may be this large. Source: registry limits in use. */
export const maxJsonBytes = 4 * 1024 * 1024

export const mediaTypes = {
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
} as const

export const ImageConfig = Type.Object({
  architecture: Type.String({ minLength: 1, maxLength: 64 }),
  os: Type.String({ minLength: 1, maxLength: 64 }),
  rootfs: Type.Object({ diff_ids: Type.Array(Type.String(), { maxItems: 1000 }) }),
})

/** An open archive: its entries by name, the last of a name counting, as with tar itself. */
export class Archive {
  readonly file: BlobReader
  readonly entries: ReadonlyMap<string, TarEntry>
  readonly signal: AbortSignal | undefined

  private constructor(file: BlobReader, entries: readonly TarEntry[], signal?: AbortSignal) {
    this.file = file
    this.entries = new Map(entries.map((entry) => [entry.name, entry]))
    this.signal = signal
  }

  /** Takes `file` over, and closes it. */
  static async open(file: BlobReader, signal?: AbortSignal): Promise<Archive> {
    try {
      return new Archive(file, await readTar(file), signal)
    } catch (thrown) {
      await file.close()
      throw thrown
    }
  }

  has(name: string): boolean {
    return this.entries.has(posix.normalize(name))
  }

  /** The file behind `name`, through links. `what` names it in refusals. */
  find(name: string, what: string): TarEntry {
    let path = posix.normalize(name)
    // Docker 20.10 links a layer that stands twice in an image, and never more than once.
    for (let hops = 0; hops < 8; hops++) {
      const entry = this.entries.get(path)
      if (!entry) throw bad(`lacks ${what} ${JSON.stringify(name)}`)
      if (entry.kind === 'file') return entry
      if (entry.target === null) throw bad(`has ${what} ${JSON.stringify(name)}, but it is no file`)
      path = entry.target
    }
    throw bad(`has links in a circle at ${JSON.stringify(name)}`)
  }

  async bytes(entry: TarEntry, what: string): Promise<Buffer> {
    if (entry.size > maxJsonBytes) throw bad(`has a ${what} of ${entry.size} bytes; at most ${maxJsonBytes} are read`)
    const buffer = await this.file.read(entry.offset, entry.size)
    if (buffer.length < entry.size) throw bad(`is cut short in its ${what}`)
    return buffer
  }

  /** Digests of a layer as it stands and unpacked (its diff_id), in one pass over it. */
  async hash(entry: TarEntry): Promise<{ digest: Digest; diffId: Digest; compression: Compression; size: number }> {
    const packed = createHash('sha256')
    const compression = compressionOf(await this.file.read(entry.offset, Math.min(4, entry.size)))
    if (compression === 'none') {
      for await (const chunk of this.read(entry)) packed.update(chunk)
      const digest = digestOf(packed)
      return { digest, diffId: digest, compression, size: entry.size }
    }
    const unpacked = createHash('sha256')
    let size = 0
    // A bomb costs time but no memory and no disk: its bytes are counted, hashed and dropped.
    const most = Math.max(entry.size * bomb.ratio, bomb.bytes)
    const read = this.read(entry)
    await pipeline(
      async function* () {
        for await (const chunk of read) {
          packed.update(chunk)
          yield chunk
        }
      },
      compression === 'gzip' ? createGunzip() : createZstdDecompress(),
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          size += chunk.length
          if (size > most)
            throw bad(`has a layer, ${JSON.stringify(entry.name)}, that unpacks to more than ${most} bytes`)
          unpacked.update(chunk)
        }
      },
    ).catch((thrown: unknown) => {
      if (thrown instanceof CloudError || this.signal?.aborted) throw thrown
      throw new CloudError('badRequest', `The archive has a damaged layer, ${JSON.stringify(entry.name)}.`, {
        cause: thrown,
      })
    })
    return { digest: digestOf(packed), diffId: digestOf(unpacked), compression, size }
  }

  private async *read(entry: TarEntry): AsyncGenerator<Buffer> {
    const chunk = 256 * 1024
    for (let done = 0; done < entry.size; ) {
      this.signal?.throwIfAborted()
      const length = Math.min(chunk, entry.size - done)
      const buffer = await this.file.read(entry.offset + done, length)
      if (buffer.length === 0) throw bad(`is cut short in ${JSON.stringify(entry.name)}`)
      done += buffer.length
      yield buffer
    }
  }

  close(): Promise<void> {
    return this.file.close()
  }
}

/** Real layers pack to a third or a tenth; those of empty files, which pack best, are at least small. */
const bomb = { ratio: 200, bytes: 256 * 1024 * 1024 }

export type Compression = 'none' | 'gzip' | 'zstd'

function compressionOf(magic: Buffer): Compression {
  const start = magic.toString('hex')
  return start.startsWith('1f8b') ? 'gzip' : start === '28b52ffd' ? 'zstd' : 'none'
}

export const digestOf = (hash: Hash): Digest => `sha256:${hash.digest('hex')}`
export const sha256Of = (bytes: Buffer | string): Digest => digestOf(createHash('sha256').update(bytes))

/** Parses and checks a piece of metadata. `what` names it in refusals. */
export function parse<T extends TSchema>(schema: T, bytes: Buffer, what: string): Static<T> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (thrown) {
    throw new CloudError('badRequest', `The archive's ${what} is not valid JSON.`, { cause: thrown })
  }
  if (fits(schema, value)) return value
  throw bad(`has a ${what} that is not one: ${misfit(schema, value)}`)
}

/** Each digest once: an image may repeat a layer. */
export const unique = (blobs: readonly ArchiveBlob[]): ArchiveBlob[] => [
  ...new Map(blobs.map((blob) => [blob.digest, blob])).values(),
]
