import type { Server, ServerFault, ServerPatch } from '../db/servers.ts'
import type { SeenState, ServerReport, ServerWish } from '../messages.ts'
import { backoffMs } from './backoff.ts'
import { isSnapshotTask, power, stateOfSeen } from './states.ts'

/** Failures of one order that may pass by themselves; after so many the server is in ERROR. */
const mostTries = 5

export type Settled =
  /** Nothing that is not known: a late or doubled report. */
  | { kind: 'nothing' }
  /** The row is to change; `finished` closes the action, with the problem if there was one. */
  | { kind: 'changed'; patch: ServerPatch; finished: { problem: string | null } | null; retryInMs: number | null }
  /** The host has nothing of it any more, as was wanted. */
  | { kind: 'gone' }

const nothing: Settled = { kind: 'nothing' }

const seenOfWish: Record<ServerWish, SeenState> = {
  running: 'running',
  stopped: 'stopped',
  paused: 'paused',
  absent: 'absent',
}

interface Now {
  at: string
  ms: number
}

/**
 * What a report means for its server. Pure. `inventory`: the report is part of the host's list of everything, which it
 * sends when it or its engine comes up: a difference then is the machine's doing, to be mended, not the server's own.
 */
export function settle(server: Server, report: ServerReport, inventory: boolean, now: Now): Settled {
  if (report.generation > server.generation) {
    // The host has done an order this database does not know of: it was restored from a backup. Ask anew, above it.
    return changed({ updatedAt: now.at, generation: report.generation + 1 })
  }
  if (report.generation < server.generation) {
    // Either an order is on its way, or the host has forgotten what it did (its files were lost).
    const forgotten = inventory && server.seenGeneration >= server.generation
    return forgotten ? changed(orderAgain(server, now)) : nothing
  }
  if (server.wish === 'absent' && report.seen === 'absent' && report.error === null) {
    return server.goal === 'shelved_offloaded' ? offloaded(now) : { kind: 'gone' }
  }
  if (report.error) return failed(server, report, report.error, now)
  // Of one that is only kept for a restore there may be nothing left.
  if (server.goal === 'soft-delete' && report.seen === 'absent') return reached(server, report, now)
  const asWanted = report.seen === seenOfWish[server.wish]
  return asWanted ? reached(server, report, now) : astray(server, report, inventory, now)
}

const changed = (
  patch: ServerPatch,
  finished: { problem: string | null } | null = null,
  retryInMs: number | null = null,
): Settled => ({ kind: 'changed', patch, finished, retryInMs })

/** The host is where it should be. */
function reached(server: Server, report: ServerReport, now: Now): Settled {
  const seen = report.seen === 'absent' ? 'stopped' : report.seen
  const { powerState } = stateOfSeen[seen]
  const vmState = server.goal ?? stateOfSeen[seen].vmState
  const done = server.seenGeneration < server.generation
  // Stopped on its way to a shelf: it is there once its image is made.
  if (vmState === 'shelved' && server.vmState !== 'shelved') {
    const patch = { seenGeneration: server.generation, powerState, containerId: report.containerId, updatedAt: now.at }
    return done ? changed({ ...patch, taskState: 'shelving_image_uploading', tries: 0, retryAtMs: null }) : nothing
  }
  // Stopped for a move: it goes on once its image is made.
  if (server.taskState === 'resize_migrating') {
    const patch = { seenGeneration: server.generation, powerState, containerId: report.containerId, updatedAt: now.at }
    return done ? changed({ ...patch, tries: 0, retryAtMs: null }) : nothing
  }
  const same = server.vmState === vmState && server.powerState === powerState
  if (!done && same && server.containerId === report.containerId) return nothing
  return changed(
    {
      ...{ updatedAt: now.at, vmState, powerState, seenGeneration: server.generation },
      ...{ containerId: report.containerId, tries: 0, retryAtMs: null, progress: 0 },
      taskState: isSnapshotTask(server.taskState) ? server.taskState : null,
      // Why it had ended by itself stays to be read while it is down.
      fault: report.seen === 'stopped' && server.vmState === 'stopped' ? server.fault : null,
      exit: report.seen === 'stopped' ? report.exit : null,
      launchedAt: server.launchedAt ?? now.at,
    },
    done ? { problem: null } : null,
  )
}

/** Only the image is left; the room on the host is free again. */
const offloaded = (now: Now): Settled =>
  changed(
    {
      ...{ updatedAt: now.at, vmState: 'shelved_offloaded', powerState: power.shutdown, taskState: null },
      ...{ wish: 'stopped', goal: null, host: null, containerId: null, tries: 0, retryAtMs: null, fault: null },
    },
    { problem: null },
  )

/** The host did what it was told, and yet the server is in another state. */
function astray(server: Server, report: ServerReport, inventory: boolean, now: Now): Settled {
  const endedByItself = server.wish === 'running' && report.seen === 'stopped' && !inventory
  if (endedByItself || (server.wish === 'paused' && report.seen === 'stopped' && !inventory)) {
    const done = server.seenGeneration < server.generation
    // A resize is still to be confirmed and a rescue to be ended, whether the server runs or not.
    const goal = server.goal === 'resized' || server.goal === 'rescued' ? server.goal : null
    return changed(
      {
        ...{ updatedAt: now.at, wish: 'stopped', goal, vmState: goal ?? 'stopped', powerState: power.shutdown },
        // A new generation, so that the host too knows that it stays down.
        ...{ generation: server.generation + 1, containerId: report.containerId, exit: report.exit },
        ...{ tries: 0, retryAtMs: null, fault: endFault(report.exit, now), launchedAt: server.launchedAt ?? now.at },
        taskState: isSnapshotTask(server.taskState) ? server.taskState : null,
        // Nobody asked for the order that follows.
        actionId: null,
      },
      done ? { problem: null } : null,
    )
  }
  // Not settled any more: the loop sends the order again.
  if (server.seenGeneration < server.generation) return nothing
  return changed(orderAgain(server, now))
}

/** Shown with SHUTOFF; a process that ended well needs no explanation. */
function endFault(exit: ServerReport['exit'], now: Now): ServerFault | null {
  if (!exit || (exit.code === 0 && !exit.outOfMemory)) return null
  const cause = exit.outOfMemory ? 'ran out of memory and ended' : 'ended'
  return {
    code: 500,
    message: `The server's first process ${cause} by itself with code ${exit.code}.`,
    ...(exit.lastOutput ? { details: exit.lastOutput } : {}),
    created: now.at,
  }
}

const orderAgain = (server: Server, now: Now): ServerPatch => ({
  ...{ updatedAt: now.at, seenGeneration: server.generation - 1, tries: 0, retryAtMs: null },
})

function failed(server: Server, report: ServerReport, error: NonNullable<ServerReport['error']>, now: Now): Settled {
  // Whatever it was, the order had been carried out before.
  if (server.seenGeneration >= server.generation) return nothing
  const tries = server.tries + 1
  const waitMs = backoffMs(tries)
  const again = { tries, retryAtMs: now.ms + waitMs, updatedAt: now.at }
  if (error.temporary && tries < mostTries) return changed(again, null, waitMs)
  const fault: ServerFault = {
    code: 500,
    message: error.message,
    details: detailsOf(report, error.step),
    created: now.at,
  }
  const state = { vmState: 'error' as const, taskState: null, fault, exit: report.exit ?? server.exit }
  const finished = { problem: error.message }
  // What shall be gone is never given up: the owner sees the fault, and the host is asked again and again.
  if (server.wish === 'absent') return changed({ ...again, ...state }, finished, waitMs)
  const powerState = report.seen === 'absent' ? power.none : stateOfSeen[report.seen].powerState
  return changed(
    {
      ...{ ...state, powerState, containerId: report.containerId, updatedAt: now.at },
      ...{ seenGeneration: server.generation, tries: 0, retryAtMs: null },
    },
    finished,
  )
}

function detailsOf(report: ServerReport, step: string): string {
  const lines = [`Failed at ${step} on ${report.host}.`]
  if (report.exit) {
    lines.push(
      `The first process ended with code ${report.exit.code}${report.exit.outOfMemory ? ', out of memory' : ''}.`,
    )
    if (report.exit.lastOutput) lines.push(report.exit.lastOutput)
  }
  return lines.join('\n')
}
