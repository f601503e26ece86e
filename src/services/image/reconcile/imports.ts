import { messageOf } from '../../../platform/errors.ts'
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as importRows from '../db/imports.ts'
import type { Deps } from '../logic/images.ts'
import { carryOut } from '../logic/imports.ts'

export const importLoop = 'image.imports'

/** Does what import tasks say, also those that a killed process had begun; forgets the ones that ended long ago. */
export const importReconciler = (deps: Deps): Reconciler => ({
  name: importLoop,
  everySeconds: 30,
  async run(signal) {
    const done = { success: 0, failure: 0 }
    for (const task of await importRows.openTasks(deps.database.read, 20)) {
      if (signal.aborted) break
      try {
        done[await carryOut(deps, task)]++
      } catch (thrown) {
        signal.throwIfAborted()
        deps.log.error({ image: task.imageId, task: task.id, reason: messageOf(thrown) }, 'an import waits')
      }
    }
    const forgotten = await deps.database.write((trx) => importRows.removeExpiredTasks(trx, deps.clock.now()))
    return { ...done, forgotten }
  },
})
