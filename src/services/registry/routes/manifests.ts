import type { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import * as pushed from '../db/pushed.ts'
import * as repositories from '../db/repositories.ts'
import * as tagRows from '../db/tags.ts'
import { checkedDigest } from '../logic/digests.ts'
import * as manifests from '../logic/manifests.ts'
import { refusals } from '../logic/refusals.ts'
import { bodyOf, drain, originOf, own, page, pageOf, readable, type Visit } from './shared.ts'

/** Source: OCI distribution specification 1.1, "Pulling manifests". */
export async function sendManifest(visit: Visit, reference: string): Promise<FastifyReply> {
  const { request, reply } = visit
  const manifest = await find(visit, reference)
  const content = Buffer.from(manifest.content)
  reply
    .type(manifest.mediaType)
    .header('docker-content-digest', manifest.digest)
    .header('etag', `"${manifest.digest}"`)
    .header('content-length', content.length)
  if (request.headers['if-none-match'] === `"${manifest.digest}"`)
    return reply.removeHeader('content-length').code(304).send()
  return request.method === 'HEAD' ? reply.send() : reply.send(content)
}

async function find(visit: Visit, reference: string): Promise<repositories.Manifest> {
  const { deps, caller } = visit
  const db = deps.database.read
  const isDigest = reference.includes(':')
  if (isDigest) checkedDigest(reference)
  const { repository, key } = await readable(visit)
  if (repository && key !== null && caller.kind === 'user') await deps.mirror.ensure(deps, repository, reference)
  if (key !== null) {
    const digest = isDigest ? reference : await tagRows.find(db, key, reference)
    const manifest = digest === null ? null : await repositories.findManifest(db, key, digest)
    if (manifest) return manifest
  }
  if (repository && caller.kind === 'user') {
    const uploaded = key !== null
    const wanted = isDigest ? { digest: reference, uploaded } : { tag: reference, uploaded }
    const [image] = await deps.images.find(db, caller.ctx, repository.owner, repository.name, wanted)
    const manifest = image ? await repositories.findManifest(db, image.repository, image.manifest) : null
    if (manifest) return manifest
  }
  const isKnown = repository?.owner === null || (key !== null && (await repositories.exists(db, key)))
  throw isKnown ? refusals.manifestUnknown(reference.slice(0, 200)) : refusals.nameUnknown()
}

/** Source: OCI distribution specification 1.1, "Pushing Manifests". */
export async function putManifest(visit: Visit, reference: string): Promise<FastifyReply> {
  const { deps, request, reply, path } = visit
  const { ctx, ...repository } = await own(visit, 'push')
  const mediaType = request.headers['content-type']?.split(';')[0]?.trim() ?? ''
  const bytes = await bounded(bodyOf(request), Number(request.headers['content-length'] ?? 0)).catch((thrown) => {
    drain(request)
    throw thrown
  })
  const { digest, subject } = await manifests.put(deps, originOf(request, ctx), repository, reference, {
    bytes,
    mediaType,
  })
  if (subject) reply.header('oci-subject', subject)
  return reply
    .code(201)
    .header('location', `/v2/${path}/manifests/${digest}`)
    .header('docker-content-digest', digest)
    .send()
}

async function bounded(body: Readable, announced: number): Promise<Buffer> {
  if (announced > manifests.maxManifestBytes) throw refusals.tooLarge(manifests.maxManifestBytes)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    size += chunk.length
    if (size > manifests.maxManifestBytes) throw refusals.tooLarge(manifests.maxManifestBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Source: OCI distribution specification 1.1, "Deleting tags", "Deleting Manifests". */
export async function deleteManifest(visit: Visit, reference: string): Promise<FastifyReply> {
  const { ctx, ...repository } = await own(visit, 'delete')
  await manifests.remove(visit.deps, originOf(visit.request, ctx), repository, reference)
  return visit.reply.code(202).send()
}

/** Source: OCI distribution specification 1.1, "Listing Tags". */
export async function listTags(visit: Visit): Promise<FastifyReply> {
  const { deps, request, reply, caller, path } = visit
  const db = deps.database.read
  const { repository, key } = await readable(visit)
  const { limit, after } = pageOf(request)
  const more = limit === null ? null : limit + 1
  const tags = key === null ? [] : await tagRows.list(db, key, { after, limit: more })
  const images =
    repository && caller.kind === 'user'
      ? await deps.images.find(db, caller.ctx, repository.owner, repository.name, { uploaded: key !== null })
      : []
  const others = images.map(({ tag }) => tag).filter((tag) => after === null || tag > after)
  if (tags.length + images.length === 0 && (key === null || !(await repositories.exists(db, key))))
    throw refusals.nameUnknown()
  const all = [...new Set([...tags, ...others])].sort((a, b) => (a < b ? -1 : 1))
  return reply.send({ name: path, tags: page(request, reply, all, limit) })
}

/** Source: OCI distribution specification 1.1, "Listing Referrers". */
export async function listReferrers(visit: Visit, subject: string): Promise<FastifyReply> {
  const { deps, request, reply } = visit
  checkedDigest(subject)
  const { key } = await readable(visit)
  const wanted = new URL(request.url, 'http://x').searchParams.get('artifactType')
  const found = key === null ? [] : await pushed.referrers(deps.database.read, key, subject)
  const shown = found.filter(({ artifactType }) => wanted === null || artifactType === wanted)
  if (wanted !== null) reply.header('oci-filters-applied', 'artifactType')
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifests.indexType,
    manifests: shown.map(({ mediaType, digest, size, artifactType, annotations }) => ({
      mediaType,
      digest,
      size,
      ...(artifactType === null ? {} : { artifactType }),
      ...(annotations === null ? {} : { annotations }),
    })),
  })
  return reply.type(manifests.indexType).send(Buffer.from(index)) // as text it would be given a charset
}
