import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import type { Deps } from '../logic/deps.ts'
import { deliver } from '../logic/notifications.ts'

export const notificationLoop = 'registry.notifications'

/** Tells others what was pushed and deleted. */
export const notificationReconciler = (deps: Deps): Reconciler => ({
  name: notificationLoop,
  everySeconds: 15,
  run: (signal) => deliver(deps, signal),
})
