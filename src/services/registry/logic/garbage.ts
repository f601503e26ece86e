import { faultPoint } from '../../../platform/faults.ts'
import * as pushed from '../db/pushed.ts'
import * as refreshTokens from '../db/refresh-tokens.ts'
import * as uploadRows from '../db/uploads.ts'
import type { Deps } from './deps.ts'
import { keyPrefix } from './uploads.ts'

/** A client may take so long from a blob to its manifest, or from one chunk to the next. */
export const graceMs = 24 * 3_600_000

/**
 * Forgets what nobody needs, then removes the files that no row names. A blob that a manifest needs, or that a client
 * was lately told of, has a row; a file is named in a row before it exists, and can only be found by a row. So a file
 * without one can never be wanted again, whatever is being pushed meanwhile.
 */
export async function collect(deps: Deps, signal?: AbortSignal): Promise<Record<string, number>> {
  const { database, clock } = deps
  const beforeMs = clock.nowMs() - graceMs
  let blobs = 0
  let uploads = 0
  for (let more = true; more && !signal?.aborted; ) {
    const [expired, collected] = await database.write(async (trx) => [
      await uploadRows.expire(trx, beforeMs),
      await pushed.collect(trx, beforeMs, 500),
    ])
    faultPoint('registry.garbage.rows')
    uploads += expired ?? 0
    blobs += collected ?? 0
    more = (expired ?? 0) + (collected ?? 0) >= 500
  }
  await database.write((trx) => refreshTokens.prune(trx, clock.nowMs()))
  const files = await sweep(deps, signal)
  return { uploads, blobs, files }
}

async function sweep({ database, blobs }: Deps, signal?: AbortSignal): Promise<number> {
  let removed = 0
  let batch: string[] = []
  const flush = async () => {
    const used = await pushed.keysInUse(database.read, batch)
    const orphans = batch.filter((key) => !used.has(key))
    batch = []
    for (const key of orphans) {
      await blobs.remove(key)
      faultPoint('registry.garbage.file')
    }
    removed += orphans.length
  }
  for await (const { key } of blobs.list()) {
    if (signal?.aborted) return removed
    if (!key.startsWith(keyPrefix)) continue
    batch.push(key)
    if (batch.length === 500) await flush()
  }
  await flush()
  return removed
}

/** What `collect` would remove now, and how many bytes that is. Nothing is changed. */
export async function survey(deps: Deps, prefix: string, more: (keys: readonly string[]) => Promise<Set<string>>) {
  const { database, blobs, clock } = deps
  const beforeMs = clock.nowMs() - graceMs
  const found = { uploads: await uploadRows.expired(database.read, beforeMs), blobs: 0, files: 0, bytes: 0 }
  found.blobs = await pushed.collectable(database.read, beforeMs)
  let batch: string[] = []
  const flush = async () => {
    const used = await pushed.keysInUse(database.read, batch)
    const also = await more(batch)
    for (const key of batch.filter((one) => !used.has(one) && !also.has(one))) {
      found.files++
      found.bytes += await blobs.size(key).catch(() => 0)
    }
    batch = []
  }
  for await (const { key } of blobs.list()) {
    if (!key.startsWith(keyPrefix) && !key.startsWith(prefix)) continue
    batch.push(key)
    if (batch.length === 500) await flush()
  }
  await flush()
  return found
}

/** What an earlier process was writing when it was killed. Safe at any time. */
export async function recover({ database, uploader, receiving }: Deps): Promise<number> {
  return database.write((trx) => uploadRows.dropPartsOf(trx, uploader, [...receiving]))
}
