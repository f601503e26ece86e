import { type Static, Type } from 'typebox'
import type { Digest } from '../../../platform/blobs/blobs.ts'
import type { Platform } from './archive.ts'
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
import { bad, type TarEntry } from './tar.ts'

const Descriptor = Type.Object({
  mediaType: Type.String(),
  digest: Type.String({ pattern: '^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-zA-Z=_-]+$', maxLength: 256 }),
  size: Type.Integer({ minimum: 0 }),
  platform: Type.Optional(Type.Object({ os: Type.String(), architecture: Type.String() })),
})
type Descriptor = Static<typeof Descriptor>

const Index = Type.Object({ manifests: Type.Array(Descriptor, { maxItems: 1000 }) })
const Manifest = Type.Object({ config: Descriptor, layers: Type.Array(Descriptor, { maxItems: 1000 }) })

/** An image layout in a tar. Its manifest is kept byte for byte, so the image keeps its digest. */
export async function indexOciArchive(archive: Archive, platform: Platform): Promise<ArchiveIndex> {
  const bytes = await archive.bytes(archive.find('index.json', 'its'), 'index.json')
  const chosen = await choose(archive, parse(Index, bytes, 'index.json').manifests, platform)
  const manifestBytes = await metadata(archive, chosen, 'manifest')
  const manifest = parse(Manifest, manifestBytes, 'manifest')
  if (manifest.config.mediaType !== mediaTypes.ociConfig && manifest.config.mediaType !== mediaTypes.dockerConfig)
    throw bad(`holds no container image: its configuration is of type ${manifest.config.mediaType}`)

  const configBytes = await metadata(archive, manifest.config, 'image configuration')
  const config = parse(ImageConfig, configBytes, 'image configuration')
  const diffIds = config.rootfs.diff_ids
  if (diffIds.length !== manifest.layers.length)
    throw bad(`lists ${manifest.layers.length} layers, but its image configuration knows ${diffIds.length}`)

  const blobs: ArchiveBlob[] = [
    rangeOf(manifest.config, blobEntry(archive, manifest.config, 'the image configuration')),
  ]
  const seen = new Map<string, { diffId: Digest; size: number }>()
  let unpackedBytes = 0
  for (const [i, layer] of manifest.layers.entries()) {
    const entry = blobEntry(archive, layer, 'the layer')
    let found = seen.get(layer.digest)
    if (!found) {
      const { digest, diffId, size } = await archive.hash(entry)
      if (digest !== layer.digest) throw bad(`has a damaged layer: ${layer.digest} has the digest ${digest}`)
      found = { diffId, size }
      seen.set(layer.digest, found)
      blobs.push(rangeOf(layer, entry))
    }
    if (found.diffId !== diffIds[i])
      throw bad(`has a layer, ${layer.digest}, that unpacks to ${found.diffId}; its configuration says ${diffIds[i]}`)
    unpackedBytes += found.size
  }
  return {
    layout: 'oci',
    manifest: {
      mediaType: chosen.mediaType,
      digest: sha256Of(manifestBytes),
      content: manifestBytes.toString('utf8'),
    },
    configDigest: sha256Of(configBytes),
    blobs: unique(blobs),
    os: config.os,
    architecture: config.architecture,
    unpackedBytes,
  }
}

/** The image manifest for `platform`; the only one there is, whatever its platform; through nested indexes. */
async function choose(
  archive: Archive,
  from: readonly Descriptor[],
  platform: Platform,
  depth = 0,
): Promise<Descriptor> {
  if (depth > 3) throw bad('has indexes nested deeper than three')
  // BuildKit's attestations stand beside the images, with a platform of their own; a second tag is a second entry.
  const images = [...new Map(from.filter((d) => d.platform?.os !== 'unknown').map((d) => [d.digest, d])).values()]
  const matching = images.filter(
    (d) => d.platform?.os === platform.os && d.platform.architecture === platform.architecture,
  )
  const chosen = matching[0] ?? images[0]
  if (!chosen) throw bad('holds no image')
  const isOneOfSeveral = depth === 0 ? matching.length > 1 : false // deeper down they are variants of one architecture
  if (isOneOfSeveral || (matching.length === 0 && images.length > 1)) {
    const there = images.map((d) => (d.platform ? `${d.platform.os}/${d.platform.architecture}` : null))
    if (isOneOfSeveral || there.includes(null)) throw bad(`holds ${images.length} images; save them one by one`)
    throw bad(`holds images for ${there.join(', ')}; none is for ${platform.os}/${platform.architecture}`)
  }
  if (chosen.mediaType === mediaTypes.ociManifest || chosen.mediaType === mediaTypes.dockerManifest) return chosen
  if (chosen.mediaType !== mediaTypes.ociIndex && chosen.mediaType !== mediaTypes.dockerList)
    throw bad(`holds no container image, but ${chosen.mediaType}`)
  const index = parse(Index, await metadata(archive, chosen, 'index'), 'index')
  return choose(archive, index.manifests, platform, depth + 1)
}

function blobEntry(archive: Archive, { digest, size }: Descriptor, what: string): TarEntry {
  // Engines ask for blobs by sha256 alone; a layout may in theory use others.
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw bad(`uses the digest ${digest}; only sha256 can be pulled`)
  const entry = archive.find(`blobs/${digest.replace(':', '/')}`, what)
  if (entry.size !== size) throw bad(`has ${entry.size} bytes for ${digest}, where ${size} are announced`)
  return entry
}

async function metadata(archive: Archive, descriptor: Descriptor, what: string): Promise<Buffer> {
  const bytes = await archive.bytes(blobEntry(archive, descriptor, `the ${what}`), what)
  const digest = sha256Of(bytes)
  if (digest !== descriptor.digest) throw bad(`has a damaged ${what}: ${descriptor.digest} has the digest ${digest}`)
  return bytes
}

const rangeOf = ({ digest, mediaType }: Descriptor, { offset, size }: TarEntry): ArchiveBlob => ({
  digest: digest as Digest, // checked by blobEntry
  mediaType,
  offset,
  size,
})
