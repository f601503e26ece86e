import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as federatedRows from '../db/federated-users.ts'
import * as groupRows from '../db/groups.ts'
import type { Deps } from '../logic/deps.ts'
import { writeRevoking } from '../logic/revoking.ts'

/** Ends memberships that an identity provider gave for a time, and the tokens that rest on them. */
export function membershipReconciler(deps: Deps): Reconciler {
  return {
    name: 'identity.memberships',
    everySeconds: 30,
    async run() {
      const nowMs = deps.clock.nowMs()
      const ended = await federatedRows.listEnded(deps.database.read, nowMs, 500)
      for (const { groupId, userId } of ended)
        await writeRevoking(deps, async (trx, revoke) => {
          await federatedRows.forgetEnd(trx, groupId, userId)
          if (await groupRows.removeMember(trx, groupId, userId)) revoke({ userId })
        })
      return { ended: ended.length }
    },
  }
}
