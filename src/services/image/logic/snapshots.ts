import { Type } from 'typebox'
import { faultPoint } from '../../../platform/faults.ts'
import { fits } from '../../../platform/http/validation.ts'
import * as imageRows from '../db/images.ts'
import type { ArchiveBlob, ArchiveIndex } from './archive.ts'
import { ImageConfig, maxJsonBytes, sha256Of } from './archive-file.ts'
import { type Deps, type Image, repositoryOf } from './images.ts'

/** A snapshot that shares its base's layers, as the base has them. */
export interface Shared {
  manifest: { digest: string; mediaType: string; content: string }
  /** Every blob that it needs. */
  digests: string[]
  /** Whose rows say where the base's blobs are; null where none are shared. */
  from: string | null
}

interface Layer {
  mediaType: string
  digest: string
  size: number
}

const Layers = Type.Object({
  layers: Type.Array(
    Type.Object({ mediaType: Type.String(), digest: Type.String(), size: Type.Integer({ minimum: 0 }) }),
  ),
})

const ociManifest = 'application/vnd.oci.image.manifest.v1+json'
const ociConfig = 'application/vnd.oci.image.config.v1+json'
const ociLayer = 'application/vnd.oci.image.layer.v1.tar'

/** The same layer in OCI's words; null for what an engine could not take. */
function typeOf(mediaType: string): string | null {
  if (/\.tar(\.|\+)gzip$/.test(mediaType)) return `${ociLayer}+gzip`
  if (/\.tar\+zstd$/.test(mediaType)) return `${ociLayer}+zstd`
  return /\.tar$/.test(mediaType) ? ociLayer : null
}

/**
 * Keeps of a committed container only what its base does not have: the base's layers are named as the base names them, packed
 * as they may be. Nobody has computed a checksum of the archive that an engine made, so it need not stay as it came.
 */
export async function shareWithBase(deps: Deps, image: Image, key: string, index: ArchiveIndex): Promise<Shared> {
  const { blobs, registry } = deps
  const places = new Map(index.blobs.map((blob) => [blob.digest, blob]))
  const open = ({ offset, size }: ArchiveBlob) => blobs.open(key, { start: offset, end: offset + size })
  const config = places.get(index.configDigest)
  if (!config) throw new Error(`${key} lacks its configuration`)
  const own = await diffIds(Buffer.concat(await (await open(config)).toArray()))
  const parsed: unknown = JSON.parse(index.manifest.content)
  const layers: Layer[] = fits(Layers, parsed) ? parsed.layers : []
  const base = await baseOf(deps, image)
  const isBase = base !== null && base.diffIds.length <= own.length && base.diffIds.every((id, i) => id === own[i])
  const shared = isBase ? base.layers : []
  const all = [...shared, ...layers.slice(shared.length)].map((layer) => ({
    mediaType: typeOf(layer.mediaType) ?? layer.mediaType,
    digest: layer.digest,
    size: layer.size,
  }))
  const repository = repositoryOf(image.id)
  const kept = new Set(shared.map(({ digest }) => digest))
  for (const digest of new Set([index.configDigest, ...layers.slice(shared.length).map((layer) => layer.digest)])) {
    const place = places.get(digest as ArchiveBlob['digest'])
    if (kept.has(digest) || !place) continue
    await registry.keep(repository, digest, place.size, () => open(place))
    faultPoint('image.snapshot.kept')
  }
  const content = JSON.stringify({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { mediaType: ociConfig, digest: index.configDigest, size: config.size },
    layers: all,
  })
  return {
    manifest: { digest: sha256Of(content), mediaType: ociManifest, content },
    digests: [...new Set([index.configDigest, ...all.map(({ digest }) => digest)])],
    from: isBase ? base.repository : null,
  }
}

async function baseOf({ database, registry, blobs }: Deps, image: Image) {
  const id = image.properties.base_image_ref
  const base = id ? await imageRows.find(database.read, id) : undefined
  if (!base?.manifestDigest || !base.configDigest) return null
  const repository = repositoryOf(base.id)
  const manifest = await registry.findManifest(database.read, repository, base.manifestDigest)
  const config = await registry.findBlob(database.read, repository, base.configDigest)
  const parsed: unknown = manifest ? JSON.parse(manifest.content) : null
  if (!config || config.size > maxJsonBytes || !fits(Layers, parsed)) return null
  if (parsed.layers.some(({ mediaType }) => typeOf(mediaType) === null)) return null
  const bytes = await blobs.open(config.blobKey, { start: config.offset, end: config.offset + config.size })
  const ids = await diffIds(Buffer.concat(await bytes.toArray()))
  return ids.length === parsed.layers.length ? { repository, diffIds: ids, layers: parsed.layers } : null
}

async function diffIds(config: Buffer): Promise<string[]> {
  const parsed: unknown = JSON.parse(config.toString('utf8'))
  return fits(ImageConfig, parsed) ? parsed.rootfs.diff_ids : []
}
