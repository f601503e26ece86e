import { posix } from 'node:path'
import { Type } from 'typebox'
import type { Digest } from '../../../platform/blobs/blobs.ts'
import {
  type Archive,
  type ArchiveBlob,
  type ArchiveIndex,
  ImageConfig,
  mediaTypes,
  parse,
  sha256Of,
  unique,
} from './archive-file.ts'
import { bad } from './tar.ts'

const Saved = Type.Array(Type.Object({ Config: Type.String(), Layers: Type.Array(Type.String(), { maxItems: 1000 }) }))

/** What `docker save` writes. Its tags are ignored: they are names on somebody else's machine. */
export async function indexDockerArchive(archive: Archive): Promise<ArchiveIndex> {
  const saved = parse(
    Saved,
    await archive.bytes(archive.find('manifest.json', 'its'), 'manifest.json'),
    'manifest.json',
  )
  const [image] = saved
  if (!image) throw bad('holds no image')
  if (saved.length > 1) throw bad(`holds ${saved.length} images; save them one by one`)

  const configEntry = archive.find(image.Config, 'the image configuration')
  const configBytes = await archive.bytes(configEntry, 'image configuration')
  const config = parse(ImageConfig, configBytes, 'image configuration')
  const configDigest = sha256Of(configBytes)
  sameAsName(image.Config, [configDigest], 'image configuration')
  const diffIds = config.rootfs.diff_ids
  if (diffIds.length !== image.Layers.length)
    throw bad(`lists ${image.Layers.length} layers, but its image configuration knows ${diffIds.length}`)

  const layers: ArchiveBlob[] = []
  const seen = new Map<number, { blob: ArchiveBlob; diffId: Digest; size: number }>()
  let unpackedBytes = 0
  for (const [i, name] of image.Layers.entries()) {
    const entry = archive.find(name, 'the layer')
    let layer = seen.get(entry.offset)
    if (!layer) {
      const { digest, diffId, compression, size } = await archive.hash(entry)
      if (compression === 'zstd') throw bad(`has a layer, ${JSON.stringify(name)}, compressed with zstd`)
      sameAsName(name, [digest, diffId], 'layer')
      const mediaType = compression === 'gzip' ? mediaTypes.dockerLayerGzip : mediaTypes.dockerLayer
      layer = { blob: { digest, mediaType, offset: entry.offset, size: entry.size }, diffId, size }
      seen.set(entry.offset, layer)
    }
    if (layer.diffId !== diffIds[i])
      throw bad(
        `has a layer, ${JSON.stringify(name)}, whose digest is ${layer.diffId}; its configuration says ${diffIds[i]}`,
      )
    layers.push(layer.blob)
    unpackedBytes += layer.size
  }

  const configBlob: ArchiveBlob = {
    digest: configDigest,
    mediaType: mediaTypes.dockerConfig,
    offset: configEntry.offset,
    size: configEntry.size,
  }
  const descriptor = ({ mediaType, size, digest }: ArchiveBlob) => ({ mediaType, size, digest })
  const content = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifest,
    config: descriptor(configBlob),
    layers: layers.map(descriptor),
  })
  return {
    layout: 'docker',
    manifest: { mediaType: mediaTypes.dockerManifest, digest: sha256Of(content), content },
    configDigest,
    blobs: unique([configBlob, ...layers]),
    os: config.os,
    architecture: config.architecture,
    unpackedBytes,
  }
}

/** Names that are digests (`<hex>.json`, `<hex>.tar`, `blobs/sha256/<hex>`) must be right. */
function sameAsName(name: string, digests: readonly Digest[], what: string): void {
  const hex = /^([0-9a-f]{64})(\.json|\.tar)?$/.exec(posix.basename(name))?.[1]
  if (hex && !digests.includes(`sha256:${hex}`))
    throw bad(`has a damaged ${what}: ${JSON.stringify(name)} has the digest ${digests[0]}`)
}
