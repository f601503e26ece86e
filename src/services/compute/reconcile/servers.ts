import { faultPoint } from '../../../platform/faults.ts'
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as serverRows from '../db/servers.ts'
import type { Deps } from '../logic/deps.ts'
import { ordersFor } from '../logic/orders.ts'
import { subjects } from '../messages.ts'

/** Looked at, and ordered, at once; the next round takes the next. */
const looked = 5_000
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
      const behind = await serverRows.unsettled(database.read, nowMs, looked)
      const due = behind
        .filter(({ id, generation, tries }) => {
          const last = sent.get(id)
          const repeat = last && last.generation === generation && last.tries === tries
          return !repeat || nowMs - last.atMs >= resendMs
        })
        .slice(0, batch)
      const ids = due.map(({ id }) => id)
      const rows = new Map((await serverRows.listByIds(database.read, ids)).map((server) => [server.id, server]))
      // In the order of waiting, and as they are now.
      const servers = ids
        .flatMap((id) => rows.get(id) ?? [])
        .filter((server) => !server.deleted && server.host !== null)
      signal.throwIfAborted()
      for (const [i, order] of (await ordersFor(deps, database.read, servers)).entries()) {
        const { host, tries } = servers[i]!
        if (host === null) continue
        deps.bus.publish(subjects.order(host), order)
        sent.set(order.serverId, { host, generation: order.generation, tries, atMs: nowMs })
        faultPoint('compute.order.sent')
      }
      // The rest of those due is the next round's.
      if (due.length === batch) deps.ground.nudge('compute.servers')
      const waiting = new Set(behind.map((server) => server.id))
      // What is settled needs no memory; a full batch says nothing of those beyond it.
      if (behind.length < looked) sent = new Map([...sent].filter(([id]) => waiting.has(id)))
      return { sent: due.length, waiting: behind.length - due.length }
    },
  }
}
