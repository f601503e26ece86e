import { faultPoint } from '../../../platform/faults.ts'
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as serverRows from '../db/servers.ts'
import type { Deps } from '../logic/deps.ts'
import { ordersFor } from '../logic/orders.ts'
import { subjects } from '../messages.ts'

/** At once; the next round takes the next. */
const batch = 500

/** An order that was not answered for this long was lost, or its host has only now come back. */
const resendMs = 25_000

export interface ServerReconciler extends Reconciler {
  /** A host has come up: what it was sent before is forgotten there. */
  forget(host: string): void
}

/** From servers whose host has not done the latest order to orders. What was sent is remembered only to spare repeats. */
export function serverReconciler(deps: Deps): ServerReconciler {
  const { database, clock } = deps.ground
  let sent = new Map<string, { host: string; generation: number; tries: number; atMs: number }>()

  return {
    name: 'compute.servers',
    everySeconds: 30,
    forget(host) {
      for (const [id, order] of sent) if (order.host === host) sent.delete(id)
    },
    async run(signal) {
      const nowMs = clock.nowMs()
      const behind = await serverRows.unsettled(database.read, nowMs, batch)
      const due = behind.filter((server) => {
        const last = sent.get(server.id)
        const repeat = last && last.generation === server.generation && last.tries === server.tries
        return !repeat || nowMs - last.atMs >= resendMs
      })
      signal.throwIfAborted()
      for (const [i, order] of (await ordersFor(deps, database.read, due)).entries()) {
        const { host, tries } = due[i]!
        if (host === null) continue
        deps.bus.publish(subjects.order(host), order)
        sent.set(order.serverId, { host, generation: order.generation, tries, atMs: nowMs })
        faultPoint('compute.order.sent')
      }
      const waiting = new Set(behind.map((server) => server.id))
      // What is settled needs no memory; a full batch says nothing of those beyond it.
      if (behind.length < batch) sent = new Map([...sent].filter(([id]) => waiting.has(id)))
      return { sent: due.length, waiting: behind.length - due.length }
    },
  }
}
