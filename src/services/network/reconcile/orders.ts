import type { Bus } from '../../../platform/bus/bus.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { Database } from '../../../platform/db/database.ts'
import type { Hosts } from '../../../platform/hosts/hosts.ts'
import * as unsettled from '../db/unsettled.ts'

export interface Orders {
  database: Database
  bus: Bus
  clock: Clock
  hosts: Hosts
  nudge: (loop: string) => void
}

/** The network hosts that are there to hear an order. */
export async function hostsUp({ hosts }: Orders): Promise<string[]> {
  return (await hosts.list('network')).filter((host) => hosts.isUp(host)).map((host) => host.name)
}

/** A host whose role has begun anew is told everything once more. Returns how many there were. */
export async function welcomeRestarted({ hosts, database }: Orders): Promise<number> {
  const told = await unsettled.starts(database.read)
  const anew = (await hosts.list('network')).filter((host) => told.get(host.name) !== host.startedAt)
  for (const { name, startedAt } of anew) {
    await database.write((trx) => unsettled.resendAll(trx, name, startedAt))
  }
  return anew.length
}

/** An order on its way is not sent again before this, however often the loop is nudged. */
const patienceMs = 10_000

/**
 * Remembers which orders are under way, so that a burst of nudges does not repeat all that is unsettled. Only a hint:
 * forgetting it costs a message that the host has seen before.
 */
export function createSent(clock: Clock): {
  isDue(key: string, generation: number): boolean
  keep(keys: Set<string>): void
} {
  const sent = new Map<string, { generation: number; atMs: number }>()
  return {
    isDue(key, generation) {
      const nowMs = clock.nowMs()
      const last = sent.get(key)
      if (last && last.generation >= generation && nowMs - last.atMs < patienceMs) return false
      sent.set(key, { generation, atMs: nowMs })
      return true
    },
    keep(keys) {
      for (const key of sent.keys()) if (!keys.has(key)) sent.delete(key)
    },
  }
}
