import { buffer } from 'node:stream/consumers'
import { type Static, type TSchema, Type } from 'typebox'
import type { Db } from '../../../platform/db/database.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { fits, misfit } from '../../../platform/http/validation.ts'
import * as pushed from '../db/pushed.ts'
import * as repositories from '../db/repositories.ts'
import * as tagRows from '../db/tags.ts'
import type { ContainerImage, Deps } from './deps.ts'
import { algorithmOf, checkedDigest, digestOf, digestPattern } from './digests.ts'
import { type Repository, tagPattern } from './names.ts'
import { note, type Origin } from './notifications.ts'
import { refusals } from './refusals.ts'

/** Larger manifests exist nowhere. Source: OCI distribution specification 1.1, "Pushing Manifests". */
export const maxManifestBytes = 4 * 1024 * 1024

const types = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const
export const indexType = types.ociIndex
const imageTypes: readonly string[] = [types.ociManifest, types.dockerManifest]
const indexTypes: readonly string[] = [types.ociIndex, types.dockerList]
const configTypes = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json']

const Descriptor = Type.Object({
  mediaType: Type.String({ maxLength: 255 }),
  digest: Type.String({ maxLength: 200 }),
  size: Type.Integer({ minimum: 0 }),
  urls: Type.Optional(Type.Array(Type.String())),
  platform: Type.Optional(Type.Object({ os: Type.String(), architecture: Type.String() })),
})
type Descriptor = Static<typeof Descriptor>
const Common = {
  schemaVersion: Type.Literal(2),
  mediaType: Type.Optional(Type.String({ maxLength: 255 })),
  artifactType: Type.Optional(Type.String({ maxLength: 255 })),
  subject: Type.Optional(Descriptor),
  annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
}
const ImageManifest = Type.Object({ ...Common, config: Descriptor, layers: Type.Array(Descriptor, { maxItems: 5000 }) })
const Index = Type.Object({ ...Common, manifests: Type.Array(Descriptor, { maxItems: 10_000 }) })
const ImageConfig = Type.Object({ architecture: Type.String({ maxLength: 64 }), os: Type.String({ maxLength: 64 }) })

export interface Put {
  digest: string
  subject: string | null
}

/**
 * Stores a manifest under its digest and, when `reference` is a tag, sets the tag: one transaction, in which the tag
 * becomes an image too. Source: OCI distribution specification 1.1, "Pushing Manifests".
 */
export async function put(
  deps: Deps,
  origin: Origin,
  repository: Repository,
  reference: string,
  sent: { bytes: Buffer; mediaType: string },
): Promise<Put> {
  const { database, clock, images } = deps
  const { ctx } = origin
  const isDigest = reference.includes(':')
  if (!isDigest && !tagPattern.test(reference)) throw refusals.manifestInvalid(`no tag: ${reference.slice(0, 200)}`)
  const digest = digestOf(isDigest ? algorithmOf(checkedDigest(reference)) : 'sha256', sent.bytes)
  if (isDigest && digest !== reference) throw refusals.digestInvalid(`${reference}; what was sent has ${digest}`)
  const parsed = parseManifest(sent.bytes, sent.mediaType)
  const manifest = { digest, mediaType: parsed.mediaType, content: parsed.content }
  const image = isDigest ? null : await imageOf(deps, repository.key, digest, parsed)
  faultPoint('registry.manifest.checked')
  await database.write(async (trx) => {
    await allThere(trx, repository.key, parsed)
    await pushed.putManifest(trx, repository.key, manifest, parsed)
    const { mediaType } = parsed
    const what = { digest, mediaType, size: sent.bytes.length, tag: isDigest ? null : reference }
    await note(deps, trx, origin, { action: 'push', repository: repository.path, ...what })
    if (isDigest) return
    const { owner, key, name } = repository
    await tagRows.put(trx, key, reference, digest, clock.now())
    await images.tagged(trx, { ctx, owner, repository: key, name, tag: reference, digest, image })
  })
  faultPoint('registry.manifest.committed')
  deps.noted()
  if (image) images.settled()
  return { digest, subject: parsed.subject }
}

interface Parsed extends pushed.Details {
  mediaType: string
  content: string
  blobs: readonly Descriptor[]
  manifests: readonly Descriptor[]
  config: Descriptor | null
  /** Some layer stands elsewhere. */
  isForeign: boolean
}

function parseManifest(bytes: Buffer, contentType: string): Parsed {
  let content: string
  let json: unknown
  try {
    content = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    json = JSON.parse(content)
  } catch {
    throw refusals.manifestInvalid('it is no JSON')
  }
  const inside = typeof json === 'object' && json !== null && 'mediaType' in json ? json.mediaType : undefined
  const mediaType = contentType || (typeof inside === 'string' ? inside : types.ociManifest)
  if (inside !== undefined && inside !== mediaType)
    throw refusals.manifestInvalid(`it says ${String(inside).slice(0, 200)}, but was sent as ${mediaType}`)
  if (indexTypes.includes(mediaType)) {
    const index = checked(Index, json)
    const wanted = index.manifests.map(({ digest }) => checkedDigest(digest))
    return {
      ...common(index),
      artifactType: index.artifactType ?? null,
      mediaType,
      content,
      references: wanted,
      blobs: [],
      manifests: index.manifests,
      config: null,
      isForeign: false,
    }
  }
  if (!imageTypes.includes(mediaType)) throw refusals.manifestInvalid(`manifests of type ${mediaType} are not taken`)
  const image = checked(ImageManifest, json)
  // What stands elsewhere by its own wish need not be here.
  const blobs = [image.config, ...image.layers.filter((layer) => (layer.urls ?? []).length === 0)]
  for (const { digest } of [...blobs, ...image.layers]) checkedDigest(digest)
  return {
    ...common(image),
    artifactType: image.artifactType ?? image.config.mediaType,
    mediaType,
    content,
    references: blobs.map(({ digest }) => digest),
    blobs,
    manifests: [],
    config: image.config,
    isForeign: blobs.length <= image.layers.length,
  }
}

function common({ subject, annotations }: { subject?: Descriptor; annotations?: Record<string, string> }) {
  return { subject: subject ? checkedDigest(subject.digest) : null, annotations: annotations ?? null }
}

function checked<T extends TSchema>(schema: T, value: unknown): Static<T> {
  if (fits(schema, value)) return value
  throw refusals.manifestInvalid(misfit(schema, value))
}

async function allThere(db: Db, repository: string, { blobs, manifests }: Parsed): Promise<void> {
  const found = await pushed.blobsAmong(
    db,
    repository,
    blobs.map(({ digest }) => digest),
  )
  const missing = blobs.filter(({ digest }) => !found.has(digest)).map(({ digest }) => digest)
  for (const { digest } of manifests) {
    if (!(await repositories.findManifest(db, repository, digest))) missing.push(digest)
  }
  if (missing.length > 0) throw refusals.manifestBlobUnknown([...new Set(missing)].slice(0, 20))
  const wrong = blobs.find(({ digest, size }) => found.get(digest) !== size)
  if (wrong) throw refusals.manifestInvalid(`${wrong.digest} has ${found.get(wrong.digest)} bytes, not ${wrong.size}`)
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' }
const thisPlatform = { os: 'linux', architecture: architectures[process.arch] ?? process.arch }

/** What of this an engine of this machine would run; null where that is no container image. */
async function imageOf(
  deps: Deps,
  repository: string,
  digest: string,
  parsed: Parsed,
  depth = 0,
): Promise<ContainerImage | null> {
  const { database, blobs } = deps
  if (parsed.config === null) {
    const match = ({ platform }: Descriptor) =>
      platform?.os === thisPlatform.os && platform.architecture === thisPlatform.architecture
    const chosen = parsed.manifests.find(match)
    const found = chosen && depth < 3 ? await repositories.findManifest(database.read, repository, chosen.digest) : null
    if (!found) return null
    return imageOf(
      deps,
      repository,
      found.digest,
      parseManifest(Buffer.from(found.content), found.mediaType),
      depth + 1,
    )
  }
  const { config } = parsed
  if (!configTypes.includes(config.mediaType) || config.size > maxManifestBytes) return null
  if (!digestPattern.test(config.digest)) return null
  const blob = await repositories.findBlob(database.read, repository, config.digest)
  if (!blob || blob.size !== config.size) return null // refused a moment later
  const bytes = await buffer(await blobs.open(blob.blobKey, { start: blob.offset, end: blob.offset + blob.size }))
  const read = configOf(bytes)
  if (!read) return null
  const digests = [...new Set(parsed.references)]
  if (parsed.isForeign) return null // not all of it is here
  return { manifest: digest, config: config.digest, digests, ...read, annotations: parsed.annotations ?? {} }
}

function configOf(bytes: Buffer): Static<typeof ImageConfig> | null {
  try {
    const json: unknown = JSON.parse(bytes.toString('utf8'))
    return fits(ImageConfig, json) ? { os: json.os, architecture: json.architecture } : null
  } catch {
    return null
  }
}

/** Removes a tag and its image, or a manifest with all its tags. @throws CloudError MANIFEST_UNKNOWN */
export async function remove(deps: Deps, origin: Origin, { key, path }: Repository, reference: string): Promise<void> {
  const { database, images } = deps
  const { ctx } = origin
  const gone = { action: 'delete', repository: path, mediaType: null, size: null } as const
  await database.write(async (trx) => {
    if (!reference.includes(':')) {
      if (!(await tagRows.remove(trx, key, reference))) throw refusals.manifestUnknown(reference)
      await images.untagged(trx, ctx, key, reference)
      await note(deps, trx, origin, { ...gone, digest: null, tag: reference })
      return
    }
    if (!(await repositories.findManifest(trx, key, checkedDigest(reference))))
      throw refusals.manifestUnknown(reference)
    for (const tag of await pushed.removeManifest(trx, key, reference)) await images.untagged(trx, ctx, key, tag)
    await note(deps, trx, origin, { ...gone, digest: reference, tag: null })
  })
  faultPoint('registry.manifest.removed')
  deps.noted()
}
