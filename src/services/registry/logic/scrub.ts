import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import * as repositories from '../db/repositories.ts'
import * as scrubs from '../db/scrubs.ts'
import type { Deps } from './deps.ts'
import { algorithmOf } from './digests.ts'

/** Every blob is looked at about so often. */
const everyMs = 7 * 24 * 3_600_000

/** Hashes a stream no faster than `bytesPerSecond`: nobody waits for it. */
export async function hashSlowly(
  source: Readable,
  algorithm: string,
  bytesPerSecond: number,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash(algorithm)
  const begun = performance.now()
  let bytes = 0
  for await (const chunk of source as AsyncIterable<Buffer>) {
    signal.throwIfAborted()
    hash.update(chunk)
    bytes += chunk.length
    const aheadMs = (bytes / bytesPerSecond) * 1000 - (performance.now() - begun)
    if (aheadMs > 20) await wait(aheadMs, undefined, { signal })
  }
  return hash.digest('hex')
}

/**
 * Holds blobs against their digests, those that were not looked at for a week. One whose bytes are wrong is said by name until
 * somebody pushes it again, which mends it wherever it is used. A round ends after about a minute.
 */
export async function scrub(deps: Deps, signal: AbortSignal): Promise<Record<string, number>> {
  const { database, blobs, clock, log, scrubBytesPerSecond } = deps
  if (scrubBytesPerSecond === 0) return { checked: 0 }
  const endMs = performance.now() + 60_000
  let checked = 0
  let after = ''
  while (!signal.aborted && performance.now() < endMs) {
    const [blob] = await scrubs.due(database.read, clock.nowMs() - everyMs, after, 50)
    if (!blob) break
    after = blob.digest
    const { digest, blobKey, offset, size } = blob
    let found: string
    try {
      const source = await blobs.open(blobKey, { start: offset, end: offset + size })
      found = `${algorithmOf(digest)}:${await hashSlowly(source, algorithmOf(digest), scrubBytesPerSecond, signal)}`
    } catch (thrown) {
      if (signal.aborted) break
      if (thrown instanceof CloudError && thrown.kind === 'unavailable') break // the store is away: later
      found = messageOf(thrown)
    }
    checked++
    await database.write(async (trx) => {
      const now = await repositories.placesOf(trx, digest)
      const isSame = now.some((place) => place.blobKey === blobKey && place.offset === offset)
      if (isSame) await scrubs.note(trx, digest, found !== digest, clock.nowMs()) // else removed or moved meanwhile
    })
    if (found !== digest) log.error({ digest, file: blobKey, found }, 'a stored blob is damaged')
  }
  await database.write((trx) => scrubs.prune(trx))
  return { checked, damaged: (await scrubs.bad(database.read)).length }
}
