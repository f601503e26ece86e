import { faultPoint } from '../../../platform/faults.ts'
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as snapshotRows from '../db/snapshots.ts'
import type { Deps } from '../logic/deps.ts'
import { type SnapshotOrder, subjects } from '../messages.ts'

const batch = 50
/** Uploads take their time; a host at work on one takes the repeat as such. */
const resendMs = 25_000
const tokenSeconds = 3600

export interface SnapshotReconciler extends Reconciler {
  /** The host came up anew: whatever it was told before is told again in the next round. */
  forget(host: string): void
}

/** From snapshots still wanted to orders, until the host says done or has failed too often. */
export function snapshotReconciler(deps: Deps): SnapshotReconciler {
  const { database, clock } = deps.ground
  let sent = new Map<string, { tries: number; atMs: number; host: string }>()

  return {
    name: 'compute.snapshots',
    everySeconds: 30,
    forget(host) {
      for (const [id, order] of sent) if (order.host === host) sent.delete(id)
    },
    async run(signal) {
      const nowMs = clock.nowMs()
      const wanted = await snapshotRows.due(database.read, nowMs, batch)
      const due = wanted.filter((snapshot) => {
        const last = sent.get(snapshot.id)
        return !last || last.tries !== snapshot.tries || nowMs - last.atMs >= resendMs
      })
      for (const snapshot of due) {
        signal.throwIfAborted()
        const { id, server_id, image_id, host, user_id, project_id, tries } = snapshot
        const order: SnapshotOrder = {
          snapshotId: id,
          serverId: server_id,
          imageId: image_id,
          uploadUrl: deps.image.uploadUrl(image_id),
          token: await deps.identity.mintToken({ userId: user_id, projectId: project_id, ttlSeconds: tokenSeconds }),
        }
        deps.bus.publish(subjects.snapshot(host), order)
        sent.set(id, { tries, atMs: nowMs, host })
        faultPoint('compute.snapshot.sent')
      }
      const open = new Set(wanted.map((snapshot) => snapshot.id))
      if (wanted.length < batch) sent = new Map([...sent].filter(([id]) => open.has(id)))
      return { sent: due.length, waiting: wanted.length - due.length }
    },
  }
}
