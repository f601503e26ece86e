import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import type { Deps } from '../logic/deps.ts'
import { collect, recover } from '../logic/garbage.ts'

/** Collects blobs and uploads that nobody needs. Pushing goes on meanwhile. */
export const garbageReconciler = (deps: Deps): Reconciler => ({
  name: 'registry.garbage',
  everySeconds: 300,
  async run(signal) {
    const dropped = await recover(deps)
    return { dropped, ...(await collect(deps, signal)) }
  },
})
