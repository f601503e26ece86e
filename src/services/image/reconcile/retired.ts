import type { Db } from '../../../platform/db/database.ts'
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as imageRows from '../db/images.ts'
import * as pieceRows from '../db/pieces.ts'
import { type Deps, removeRow } from '../logic/images.ts'

/** Those of `ids` that somebody above still needs: servers made of them. */
export type Usage = (db: Db, ids: readonly string[]) => Promise<ReadonlySet<string>>

/** Whoever chose an image a moment before its tag moved may still be about to use it. */
const graceMs = 30 * 60_000

/** Removes images that a tag has left behind, when nothing is made of them any more. Their files go with the next sweep. */
export const retiredReconciler = (deps: Deps, usage: () => Usage): Reconciler => ({
  name: 'image.retired',
  everySeconds: 300,
  async run() {
    const beforeMs = deps.clock.nowMs() - graceMs
    const removed = await deps.database.write(async (trx) => {
      const ids = await pieceRows.retired(trx, beforeMs, 100)
      const used = ids.length > 0 ? await usage()(trx, ids) : new Set<string>()
      let count = 0
      for (const id of ids) {
        // Looked at again later, behind the others.
        if (used.has(id)) await pieceRows.retire(trx, id, deps.clock.nowMs())
        else if (await imageRows.find(trx, id)) {
          await removeRow(deps, trx, id)
          count++
        }
      }
      return count
    })
    return { removed }
  },
})
