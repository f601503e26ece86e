import type { Context } from '../../../platform/auth/context.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { faultPoint } from '../../../platform/faults.ts'
import * as actionRows from '../db/actions.ts'
import * as guestRows from '../db/guest-data.ts'
import * as interfaceRows from '../db/interfaces.ts'
import * as serverRows from '../db/servers.ts'
import * as serviceRows from '../db/services.ts'
import { record } from './actions.ts'
import { checkLock, checkState } from './checks.ts'
import type { Deps } from './deps.ts'
import * as moves from './moves.ts'
import { closeSnapshots } from './snapshots.ts'
import { type Transition, type TransitionName, transitions } from './states.ts'

type Server = serverRows.Server

/** Under what name a refusal speaks of it. */
const spoken: Record<TransitionName, string> = {
  start: 'start',
  stop: 'stop',
  softReboot: 'reboot',
  hardReboot: 'reboot',
  pause: 'pause',
  unpause: 'unpause',
  suspend: 'suspend',
  resume: 'resume',
}

/** A hard reboot is the way out of a reboot that hangs. */
const interruptible: Partial<Record<TransitionName, readonly string[]>> = {
  hardReboot: ['rebooting', 'rebooting_hard'],
}

/**
 * Records that a server shall be started, stopped, … and returns; the host follows.
 * @throws CloudError `conflict` when it is locked, or in a state that the table does not allow
 */
export async function act(deps: Deps, ctx: Context, id: string, name: TransitionName): Promise<void> {
  const { database, clock, nudge } = deps.ground
  const transition: Transition = transitions[name]
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, spoken[name], transition.from, interruptible[name])
    const reboots = name === 'softReboot' || name === 'hardReboot'
    const { action, event } = transition
    const actions = await record(trx, ctx, [server], { action, event, at })
    await serverRows.update(trx, id, {
      ...{ goal: transition.goal ?? null, rescue: null },
      ...{ wish: transition.wish, taskState: transition.task, generation: server.generation + 1 },
      ...(reboots ? { bootEpoch: server.bootEpoch + 1, bootKind: name === 'softReboot' ? 'soft' : 'hard' } : {}),
      ...{ tries: 0, retryAtMs: null, actionId: actions.get(id) ?? null, updatedAt: at },
    })
  })
  faultPoint('compute.api.action.committed')
  nudge('compute.servers')
}

/**
 * Records that a server shall be gone, from whatever state; one without a host, or on a host that was declared dead,
 * is gone at once. Repeatable.
 */
export async function remove(deps: Deps, ctx: Context, id: string): Promise<void> {
  const { database, clock, nudge } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    const event = { action: 'delete', event: 'compute_terminate_instance', at }
    const actionId = (await record(trx, ctx, [server], event)).get(id) ?? null
    if (server.actionId) await actionRows.finish(trx, server.actionId, at, 'The server was deleted meanwhile')
    await closeSnapshots(deps, trx, id, at, 'The server was deleted meanwhile')
    const service = server.host === null ? undefined : await serviceRows.findByHost(trx, server.host)
    if (server.host === null || service?.forced_down === 1) {
      await finishRemoval(deps, trx, { ...server, actionId }, at)
      return
    }
    await serverRows.update(trx, id, {
      ...{
        wish: 'absent',
        goal: null,
        rescue: null,
        reclaimAtMs: null,
        taskState: 'deleting',
        generation: server.generation + 1,
      },
      ...{ tries: 0, retryAtMs: null, progress: 0, actionId, updatedAt: at },
    })
  })
  faultPoint('compute.api.delete.committed')
  nudge('compute.servers')
  nudge('network.ports')
}

/** The host has nothing of the server any more: what it held is given back, in the transaction that says so. */
export async function finishRemoval(deps: Deps, trx: Trx, server: Server, at: string): Promise<void> {
  await serverRows.markDeleted(trx, server.id, at)
  await guestRows.remove(trx, server.id)
  await deps.placement.release(trx, server.id)
  await deps.network.unplugServer(trx, server.id)
  await interfaceRows.removeOfServer(trx, server.id)
  await closeSnapshots(deps, trx, server.id, at, 'The server was deleted meanwhile')
  await moves.abandon(deps, trx, server.id, at)
  if (server.shelvedImageId !== null) await deps.image.remove(trx, server.shelvedImageId)
  if (server.actionId) await actionRows.finish(trx, server.actionId, at, null)
}

/** Keeps everyone but administrators from changing a server; repeatable. */
export async function lock(deps: Deps, ctx: Context, id: string, reason: string | null): Promise<void> {
  const { database, clock } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    const owns = ctx.projectId === server.projectId
    // An administrator's lock is not taken over by the owner.
    if (owns && server.lockedBy === 'admin' && !ctx.isAdmin) return
    await record(trx, ctx, [server], { action: 'lock', event: null, at })
    await serverRows.update(trx, id, { lockedBy: owns ? 'owner' : 'admin', lockedReason: reason, updatedAt: at })
  })
}

export async function unlock(deps: Deps, ctx: Context, id: string): Promise<void> {
  const { database, clock } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    await record(trx, ctx, [server], { action: 'unlock', event: null, at })
    await serverRows.update(trx, id, { lockedBy: null, lockedReason: null, updatedAt: at })
  })
}

/** A container has no kernel of its own that could be dumped: the action says so, as with any driver that cannot. */
export async function refuseCrashDump(deps: Deps, ctx: Context, id: string): Promise<void> {
  const { database, clock } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, 'trigger_crash_dump', ['active', 'paused', 'rescued', 'resized', 'error'])
    const event = { action: 'trigger_crash_dump', event: 'compute_trigger_crash_dump', at }
    const actionId = (await record(trx, ctx, [server], event)).get(id)!
    await actionRows.finish(trx, actionId, at, 'A container has no kernel of its own that could be dumped.')
  })
}

/** Says what a server is, for an operator who knows better; whatever was under way is not waited for any more. */
export async function resetState(deps: Deps, ctx: Context, id: string, state: 'active' | 'error'): Promise<void> {
  const { database, clock } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    await record(trx, ctx, [server], { action: 'resetState', event: null, at })
    const fault = state === 'active' ? null : server.fault
    await serverRows.update(trx, id, { vmState: state, taskState: null, fault, updatedAt: at })
  })
}
