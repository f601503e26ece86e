import type { FastifyReply } from 'fastify'
import { CloudError } from '../../../platform/errors.ts'
import { contentRange, rangeOf } from '../../../platform/http/ranges.ts'
import * as pushed from '../db/pushed.ts'
import * as repositories from '../db/repositories.ts'
import * as scrubs from '../db/scrubs.ts'
import { checkedDigest } from '../logic/digests.ts'
import { graceMs } from '../logic/garbage.ts'
import { refusals } from '../logic/refusals.ts'
import { own, readable, type Visit } from './shared.ts'

/** Source: OCI distribution specification 1.1, "Pulling blobs". */
export async function sendBlob(visit: Visit, reference: string): Promise<FastifyReply> {
  const { deps, request, reply } = visit
  const digest = checkedDigest(reference)
  const blob = await findBlob(visit, digest)
  if (!blob) throw refusals.blobUnknown()
  reply
    .type('application/octet-stream')
    .header('docker-content-digest', digest)
    .header('etag', `"${digest}"`)
    .header('accept-ranges', 'bytes')
    .header('cache-control', 'max-age=31536000')
  if (request.headers['if-none-match'] === `"${digest}"`) return reply.code(304).send()
  const range = request.method === 'GET' ? rangeOf(request.headers.range, blob.size) : null
  if (range === 'unsatisfiable') {
    return reply.code(416).header('content-range', `bytes */${blob.size}`).header('content-length', 0).send()
  }
  const { start, end } = range ?? { start: 0, end: blob.size }
  if (range) reply.code(206).header('content-range', contentRange(range, blob.size))
  reply.header('content-length', end - start)
  if (request.method === 'HEAD') return reply.send()
  return reply.send(await deps.blobs.open(blob.blobKey, { start: blob.offset + start, end: blob.offset + end }))
}

async function findBlob(visit: Visit, digest: string): Promise<repositories.Placed | null> {
  const { deps, caller, request } = visit
  const { key, repository } = await readable(visit)
  const { database, clock } = deps
  const there = key === null ? null : await repositories.findBlob(database.read, key, digest)
  // A damaged one is asked for again: whoever pushes it mends it.
  const blob = there && (await scrubs.isBad(database.read, digest)) ? null : there
  if (blob) {
    // A pusher that is told of a blob leaves it out, so it must stay until the manifest comes.
    const isOld = blob.touchedMs !== null && blob.touchedMs < clock.nowMs() - graceMs / 4
    if (request.method !== 'HEAD' || !isOld || key === null) return blob
    return (await database.write((trx) => pushed.touch(trx, key, digest, clock.nowMs()))) ? blob : null
  }
  if (!repository || caller.kind === 'engine') return null
  for (const image of await deps.images.find(database.read, caller.ctx, repository.owner, repository.name, {
    hidden: true,
    uploaded: key !== null,
  })) {
    const found = await repositories.findBlob(database.read, image.repository, digest)
    if (found) return found
  }
  return null
}

/** Source: OCI distribution specification 1.1, "Deleting Blobs". */
export async function deleteBlob(visit: Visit, reference: string): Promise<FastifyReply> {
  const { deps, reply } = visit
  const digest = checkedDigest(reference)
  const { key } = await own(visit, 'delete')
  await deps.database.write(async (trx) => {
    if (!(await repositories.findBlob(trx, key, digest))) throw refusals.blobUnknown()
    if (await pushed.isReferenced(trx, key, digest))
      throw new CloudError('notAllowed', 'a manifest needs this blob: delete that first', { type: 'UNSUPPORTED' })
    await pushed.removeBlob(trx, key, digest)
  })
  return reply.code(202).send()
}
