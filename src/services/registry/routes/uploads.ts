import type { FastifyReply, FastifyRequest } from 'fastify'
import { isGranted, mayIn } from '../logic/access.ts'
import { checkedDigest } from '../logic/digests.ts'
import { isName, locate } from '../logic/names.ts'
import { OutOfOrder, refusals } from '../logic/refusals.ts'
import * as uploads from '../logic/uploads.ts'
import { bodyOf, drain, own, type Visit } from './shared.ts'

/** Source: OCI distribution specification 1.1, "Pushing blobs", "Mounting a blob from another repository". */
export async function beginUpload(visit: Visit): Promise<FastifyReply> {
  const { deps, request, reply, path } = visit
  const { key } = await own(visit, 'push')
  const search = new URL(request.url, 'http://x').searchParams
  const mount = search.get('mount')
  if (mount !== null && (await isMounted(visit, key, checkedDigest(mount), search.get('from')))) {
    return created(reply, path, mount)
  }
  const wanted = search.get('digest')
  if (wanted !== null) checkedDigest(wanted)
  const { id } = await uploads.begin(deps, key)
  if (wanted === null) return underway(reply.code(202), path, id, 0)
  try {
    await uploads.append(deps, key, id, chunkOf(request))
    await uploads.finish(deps, key, id, wanted)
  } catch (thrown) {
    await uploads.cancel(deps, key, id).catch(() => {}) // gone already, or collected later
    drain(request)
    throw thrown
  }
  return created(reply, path, wanted)
}

/** Only what the caller can read may be mounted; what they cannot read looks like what is not there. */
async function isMounted(visit: Visit, to: string, digest: string, from: string | null): Promise<boolean> {
  const { deps, caller } = visit
  if (caller.kind === 'engine') return false
  if (from === null || from === '') return uploads.mount(deps, [to], to, digest)
  if (!isName(from) || !isGranted(caller, from, 'pull')) return false
  const source = await locate(deps, caller.ctx, from)
  if (!source) return false
  const own = mayIn(deps, caller.ctx, 'pull', source) ? [source.key] : []
  const images = await deps.images.find(deps.database.read, caller.ctx, source.owner, source.name)
  return uploads.mount(deps, [...own, ...images.map(({ repository }) => repository)], to, digest)
}

export async function uploadStatus(visit: Visit, id: string): Promise<FastifyReply> {
  const { key } = await own(visit, 'push')
  const { size } = await uploads.get(visit.deps, key, id)
  return underway(visit.reply.code(204), visit.path, id, size)
}

export async function addChunk(visit: Visit, id: string): Promise<FastifyReply> {
  const { deps, request, reply, path } = visit
  const { key } = await own(visit, 'push')
  const size = await outOfOrder(visit, id, () => uploads.append(deps, key, id, chunkOf(request)))
  return size === null ? reply : underway(reply.code(202), path, id, size)
}

export async function endUpload(visit: Visit, id: string): Promise<FastifyReply> {
  const { deps, request, reply, path } = visit
  const { key } = await own(visit, 'push')
  const wanted = new URL(request.url, 'http://x').searchParams.get('digest')
  if (wanted === null) throw refusals.digestInvalid('none was given')
  checkedDigest(wanted)
  const chunk = chunkOf(request)
  if (chunk.length !== 0 && request.body !== undefined) {
    if ((await outOfOrder(visit, id, () => uploads.append(deps, key, id, chunk))) === null) return reply
  }
  await uploads.finish(deps, key, id, wanted)
  return created(reply, path, wanted)
}

export async function cancelUpload(visit: Visit, id: string): Promise<FastifyReply> {
  const { key } = await own(visit, 'push')
  await uploads.cancel(visit.deps, key, id)
  return visit.reply.code(204).send()
}

/** @throws CloudError BLOB_UPLOAD_INVALID for a `Content-Range` that is none, or that its length belies. */
function chunkOf(request: FastifyRequest): uploads.Chunk {
  const { 'content-range': range, 'content-length': announced } = request.headers
  const length = announced === undefined ? null : Number(announced)
  if (range === undefined) return { body: bodyOf(request), start: null, length }
  const parts = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/.*)?$/.exec(range)
  const start = Number(parts?.[1])
  const size = Number(parts?.[2]) - start + 1
  if (!parts || size < 1) throw refusals.uploadInvalid(`no range: ${range.slice(0, 100)}`)
  if (length !== null && length !== size) throw refusals.sizeInvalid(`${length} bytes sent for the range ${range}`)
  return { body: bodyOf(request), start, length: size }
}

/** Null when the answer is given: 416 with what is there. */
async function outOfOrder(visit: Visit, id: string, work: () => Promise<number>): Promise<number | null> {
  const { reply, path, request } = visit
  try {
    return await work()
  } catch (thrown) {
    drain(request)
    if (!(thrown instanceof OutOfOrder)) throw thrown
    const errors = [{ code: thrown.type, message: thrown.message, detail: null }]
    headers(reply.code(416), path, id, thrown.size).send({ errors })
    return null
  }
}

const headers = (reply: FastifyReply, path: string, id: string, size: number): FastifyReply =>
  reply
    .header('location', `/v2/${path}/blobs/uploads/${id}`)
    .header('range', `0-${Math.max(0, size - 1)}`)
    .header('docker-upload-uuid', id)

const underway = (reply: FastifyReply, path: string, id: string, size: number): FastifyReply =>
  headers(reply, path, id, size).send()

const created = (reply: FastifyReply, path: string, digest: string): FastifyReply =>
  reply.code(201).header('location', `/v2/${path}/blobs/${digest}`).header('docker-content-digest', digest).send()
