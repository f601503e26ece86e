import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as revocationRows from '../db/revocations.ts'
import type { Deps } from '../logic/deps.ts'

/** A revocation is written a little after its time stamp, and clocks differ a little: look back further than a round. */
const overlapMs = 60_000

/** Reads what the bus may have lost, and forgets what can concern no living token. Runs in every control process. */
export function revocationReconciler(deps: Pick<Deps, 'database' | 'clock' | 'revocations' | 'tokenMs'>): Reconciler {
  const { database, clock, revocations, tokenMs } = deps
  let readToMs = 0 // the first round reads all
  return {
    name: 'identity.revocations',
    everySeconds: 10,
    async run() {
      const now = clock.nowMs()
      const found = await revocationRows.listSince(database.read, readToMs - overlapMs)
      for (const revocation of found) revocations.add(revocation)
      readToMs = now
      const [old] = await revocationRows.listOlder(database.read, now - tokenMs - overlapMs, 1)
      const forgotten = old
        ? await database.write((trx) => revocationRows.removeBefore(trx, now - tokenMs - overlapMs))
        : 0
      return { read: found.length, forgotten }
    },
  }
}
