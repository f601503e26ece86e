import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import type { Deps } from '../logic/deps.ts'
import { scrub } from '../logic/scrub.ts'

export const scrubLoop = 'registry.scrub'

/** Looks for bytes that the disk has changed, a little at a time. */
export const scrubReconciler = (deps: Deps): Reconciler => ({
  name: scrubLoop,
  everySeconds: 300,
  run: (signal) => scrub(deps, signal),
})
