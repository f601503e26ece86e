import { messageOf } from '../../../platform/errors.ts'
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as imageRows from '../db/images.ts'
import * as pushRows from '../db/pushes.ts'
import { type Deps, type Image, repositoryOf } from '../logic/images.ts'
import { archiveOf, checksumsOf } from '../logic/synthetic.ts'

export const checksumLoop = 'image.checksums'

/** Hashes what a download of a pushed image will be: a push need not wait for it, nor need a server. */
export const checksumReconciler = (deps: Deps): Reconciler => ({
  name: checksumLoop,
  everySeconds: 30,
  async run(signal) {
    let hashed = 0
    for (const image of await pushRows.unhashed(deps.database.read, 20)) {
      if (signal.aborted) break
      try {
        if (await hash(deps, image, signal)) hashed++
      } catch (thrown) {
        signal.throwIfAborted()
        deps.log.error({ image: image.id, reason: messageOf(thrown) }, 'a pushed image cannot be read')
      }
    }
    return { hashed }
  },
})

async function hash({ database, blobs, registry, clock }: Deps, image: Image, signal: AbortSignal): Promise<boolean> {
  const repository = repositoryOf(image.id)
  const db = database.read
  const manifest = await registry.findManifest(db, repository, image.manifestDigest ?? '')
  if (!manifest) return false // deleted meanwhile
  const sums = await checksumsOf(archiveOf(manifest), { blobs, registry, db, repository }, signal)
  await database.write(async (trx) => {
    const now = await imageRows.find(trx, image.id)
    if (!now) return
    await imageRows.save(trx, {
      ...now,
      checksum: sums.md5,
      osHashAlgo: 'sha512',
      osHashValue: sums.sha512,
      virtualSize: sums.unpackedBytes,
      updatedAt: clock.now(),
    })
  })
  return true
}
