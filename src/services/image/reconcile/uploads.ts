import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import type { Deps } from '../logic/images.ts'
import { tidy } from '../logic/uploads.ts'

/** Frees images whose upload died with a lost connection to the database, and files that no image has. */
export const uploadReconciler = (deps: Deps): Reconciler => ({
  name: 'image.uploads',
  everySeconds: 300,
  run: () => tidy(deps),
})
