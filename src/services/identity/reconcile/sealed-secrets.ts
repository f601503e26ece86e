import { messageOf } from '../../../platform/errors.ts'
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as sealedRows from '../db/sealed.ts'
import type { Deps } from '../logic/deps.ts'

/** Until every process seals with the new key, and what lives for minutes (receipts) is over. */
const graceMs = 600_000
const batch = 200

/**
 * Seals anew what older keys sealed, and forgets these keys when nothing is left of them. A row that changes meanwhile
 * is sealed anew by whoever changes it.
 */
export function sealedSecretsReconciler({ database, secretBox, log }: Deps): Reconciler {
  const anew = async (place: sealedRows.Place, signal: AbortSignal): Promise<{ done: number; lost: number }> => {
    let [after, done, lost] = ['', 0, 0]
    while (!signal.aborted) {
      const rows = await sealedRows.listOther(database.read, place, secretBox.mark, after, batch)
      const renewed = rows.flatMap((row) => {
        try {
          return [{ row, now: secretBox.seal(secretBox.open(row.sealed, row.id), row.id) }]
        } catch (error) {
          lost++
          log.warn({ table: place[0], id: row.id, reason: messageOf(error) }, 'a secret cannot be opened')
          return []
        }
      })
      await database.write(async (trx) => {
        for (const { row, now } of renewed) await sealedRows.replace(trx, place, row, now)
      })
      done += renewed.length
      if (rows.length < batch) break
      after = rows.at(-1)!.id
    }
    return { done, lost }
  }

  return {
    name: 'identity.sealed-secrets',
    everySeconds: 60,
    async run(signal) {
      secretBox.refresh()
      if (secretBox.keys() === 1) return { sealed: 0 }
      const [total, missing] = [{ sealed: 0 }, { lost: 0 }]
      for (const place of sealedRows.sealedPlaces) {
        const { done, lost } = await anew(place, signal)
        total.sealed += done
        missing.lost += lost
      }
      // A round that found nothing to do, long after the last rotation: nothing is left that older keys sealed.
      if (total.sealed === 0 && !signal.aborted) secretBox.retire(graceMs)
      return { ...total, ...missing }
    },
  }
}
