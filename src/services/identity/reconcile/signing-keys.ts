import type { TokenKeys } from '../../../platform/auth/token-keys.ts'
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'

/** Until every process signs with the new key, and for clocks that differ. */
const graceMs = 600_000

/** Takes over a key that another process made, and forgets those whose last token is over. */
export function signingKeyReconciler(keys: TokenKeys, tokenMs: number): Reconciler {
  return {
    name: 'identity.signing-keys',
    everySeconds: 60,
    async run() {
      const before = keys.list().length
      keys.retire(tokenMs + graceMs)
      const now = keys.list().length
      return { forgotten: Math.max(0, before - now) }
    },
  }
}
