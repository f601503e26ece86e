import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import type { Deps } from '../logic/deps.ts'
import { reclaim } from '../logic/soft-delete.ts'

const batch = 100

/** Deleted servers that could have been restored until now. */
export const reclaimReconciler = (deps: Deps): Reconciler => ({
  name: 'compute.reclaims',
  everySeconds: 30,
  run: async () => ({ reclaimed: await reclaim(deps, batch) }),
})
