import { type Context, systemContext } from '../../../platform/auth/context.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { newId } from '../../../platform/ids.ts'
import * as actionRows from '../db/actions.ts'
import * as serverRows from '../db/servers.ts'
import { record } from './actions.ts'
import { checkLock, refuseState } from './checks.ts'
import type { Deps } from './deps.ts'
import { admitMore } from './quotas.ts'
import * as actions from './server-actions.ts'
import { closeSnapshots } from './snapshots.ts'

/**
 * A deletion as the API's users ask for it: for good at once, or, with `reclaimInstanceInterval`, stopped and kept for so
 * long that it may be restored. One that never ran, or that is in ERROR for want of a host, has nothing to be kept.
 */
export async function remove(deps: Deps, ctx: Context, id: string): Promise<void> {
  const { database, clock, nudge, config } = deps.ground
  const keepSeconds = config.reclaimInstanceInterval
  if (keepSeconds === 0) return await actions.remove(deps, ctx, id)
  const kept = await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    if (server.wish === 'absent' && server.host !== null) return server.goal === null // on its way, and not to the shelf
    if (server.reclaimAtMs !== null) return true
    const shelved = server.vmState === 'shelved_offloaded'
    if (server.launchedAt === null || (server.host === null && !shelved)) return false
    const event = { action: 'delete', event: 'compute_soft_delete_instance', at }
    const actionId = (await record(trx, ctx, [server], event)).get(id) ?? null
    if (server.actionId) await actionRows.finish(trx, server.actionId, at, 'The server was deleted meanwhile')
    await closeSnapshots(deps, trx, id, at, 'The server was deleted meanwhile')
    const reclaimAtMs = clock.nowMs() + keepSeconds * 1000
    if (shelved) {
      if (actionId) await actionRows.finish(trx, actionId, at, null)
      await serverRows.update(trx, id, { vmState: 'soft-delete', taskState: null, reclaimAtMs, updatedAt: at })
      return true
    }
    await serverRows.update(trx, id, {
      ...{ wish: 'stopped', goal: 'soft-delete', rescue: null, taskState: 'soft-deleting', reclaimAtMs },
      ...{ generation: server.generation + 1, tries: 0, retryAtMs: null, progress: 0, actionId, updatedAt: at },
    })
    return true
  })
  if (!kept) return await actions.remove(deps, ctx, id)
  faultPoint('compute.api.action.committed')
  nudge('compute.servers')
}

/** Takes a deletion back, while there is time. @throws CloudError `conflict`, `overQuota` */
export async function restore(deps: Deps, ctx: Context, id: string): Promise<void> {
  const { database, clock, nudge } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    if (server.vmState !== 'soft-delete') refuseState(server, 'restore', 'vm_state', server.vmState)
    if (server.taskState !== null) refuseState(server, 'restore', 'task_state', server.taskState)
    const { vcpus, memoryMiB } = server.flavor
    await admitMore(deps, trx, server.projectId, { servers: 1, vcpus, memoryMiB })
    const shelved = server.host === null
    const event = { action: 'restore', event: shelved ? null : 'compute_restore_instance', at }
    const actionId = (await record(trx, ctx, [server], event)).get(id) ?? null
    if (shelved) {
      const back = { vmState: 'shelved_offloaded', taskState: null, reclaimAtMs: null, updatedAt: at } as const
      return await serverRows.update(trx, id, back)
    }
    await serverRows.update(trx, id, {
      ...{ wish: 'running', goal: null, taskState: 'restoring', reclaimAtMs: null, fault: null },
      ...{ generation: server.generation + 1, tries: 0, retryAtMs: null, actionId, updatedAt: at },
    })
  })
  faultPoint('compute.api.action.committed')
  nudge('compute.servers')
}

/** Servers whose time is over go for good. Returns how many. */
export async function reclaim(deps: Deps, limit: number): Promise<number> {
  const { database, clock } = deps.ground
  const due = await serverRows.reclaimable(database.read, clock.nowMs(), limit)
  for (const { id } of due) await actions.remove(deps, systemContext(`req-${newId()}`), id)
  return due.length
}
