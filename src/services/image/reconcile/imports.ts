import { messageOf } from '../../../platform/errors.ts'
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as importRows from '../db/imports.ts'
import type { Deps } from '../logic/images.ts'
import { carryOut, methodOf } from '../logic/import-tasks.ts'

export const importLoop = 'image.imports'

/** A slow web server may hold up its own project's imports, not those of others. */
const atOnce = { all: 16, perProject: 4 }

export interface ImportLoop extends Reconciler {
  /** Ends what is under way; a start takes it up again. */
  stop(): Promise<void>
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
}

/**
 * Does what import tasks say, also those that a killed process had begun; forgets the ones that ended long ago. What waits
 * for a server elsewhere goes on beside the rounds.
 */
export function importReconciler(deps: Deps, nudge: () => void): ImportLoop {
  const underway = new Map<string, { owner: string; ended: Promise<void> }>()
  const end = new AbortController()
  const begin = async (task: importRows.Task) => {
    try {
      return await carryOut(deps, task, end.signal)
    } catch (thrown) {
      if (!end.signal.aborted)
        deps.log.error({ image: task.imageId, task: task.id, reason: messageOf(thrown) }, 'an import waits')
      return null
    }
  }
  return {
    name: importLoop,
    everySeconds: 30,
    async run(signal) {
      const done = { success: 0, failure: 0 }
      let started = 0
      for (const task of await importRows.openTasks(deps.database.read, 200)) {
        if (signal.aborted || end.signal.aborted) break
        if (underway.has(task.id)) continue
        if (methodOf(task).name === 'web-download') {
          const ofProject = [...underway.values()].filter(({ owner }) => owner === task.owner).length
          if (underway.size >= atOnce.all || ofProject >= atOnce.perProject) continue
          started++
          const ended = begin(task).then((how) => {
            underway.delete(task.id)
            if (how) nudge() // for those that had to wait
          })
          underway.set(task.id, { owner: task.owner, ended })
        } else {
          const how = await begin(task)
          if (how) done[how]++
        }
      }
      const forgotten = await deps.database.write((trx) => importRows.removeExpiredTasks(trx, deps.clock.now()))
      return { ...done, ...(started > 0 ? { started } : {}), forgotten }
    },
    async stop() {
      end.abort()
      await this.idle()
    },
    async idle() {
      await Promise.all([...underway.values()].map(({ ended }) => ended))
    },
  }
}
