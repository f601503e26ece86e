import type { Readable } from 'node:stream'
import { faultPoint } from '../../../platform/faults.ts'
import * as pushed from '../db/pushed.ts'
import * as repositories from '../db/repositories.ts'
import * as uploadRows from '../db/uploads.ts'
import type { Deps } from './deps.ts'
import { append, begin, finish } from './uploads.ts'

/** Makes a blob of bytes whose digest the caller has computed from them. Repeatable. */
export async function keep(
  deps: Deps,
  repository: string,
  digest: string,
  size: number,
  open: () => Promise<Readable>,
): Promise<void> {
  const isKnown = await deps.database.write(async (trx) => {
    const place = await pushed.findAnywhere(trx, digest)
    if (place) await pushed.addBlob(trx, repository, digest, place, deps.clock.nowMs())
    return place !== null
  })
  if (isKnown) return
  const { id } = await begin(deps, repository)
  await append(deps, repository, id, { body: await open(), start: null, length: size })
  await finish(deps, repository, id, digest)
}

/**
 * Blobs in a file whose owner is gone get files of their own, so that what else is in it need not be kept. Whoever reads the
 * old file meanwhile has it open.
 */
export async function adopt(deps: Deps, key: string): Promise<void> {
  const { database, blobs } = deps
  for (const { digest, offset, size } of await repositories.inFile(database.read, key)) {
    const { id } = await begin(deps, 'adopted')
    const body = await blobs.open(key, { start: offset, end: offset + size })
    await append(deps, 'adopted', id, { body, start: null, length: size }).finally(() => body.destroy())
    faultPoint('registry.adopt.stored')
    await database.write(async (trx) => {
      const [part] = await uploadRows.parts(trx, id)
      if (part) await repositories.moveBlob(trx, digest, key, { blobKey: part.key, offset: 0, size })
      await uploadRows.remove(trx, id) // where nothing was moved, its file is swept
    })
    faultPoint('registry.adopt.moved')
  }
}
