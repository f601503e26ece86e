import type { Context } from '../../../platform/auth/context.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { newId } from '../../../platform/ids.ts'
import * as decisionRows from '../db/decisions.ts'
import * as serverRows from '../db/servers.ts'
import * as snapshotRows from '../db/snapshots.ts'
import { record } from './actions.ts'
import { checkLock, checkState } from './checks.ts'
import type { Deps } from './deps.ts'
import { imageOf } from './images.ts'
import { noValidHost, placingOf, schedule } from './scheduler.ts'
import { propertiesOf } from './snapshot-properties.ts'

type Server = serverRows.Server

/** The image waits for the server to stop; should word of that be lost, it is made after this time. */
const stopMs = 600_000

/**
 * Records that a server shall be kept as an image alone: it is stopped, committed, and taken off its host.
 * @throws CloudError
 */
export async function shelve(deps: Deps, ctx: Context, id: string): Promise<void> {
  const { database, clock, nudge } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, 'shelve', ['active', 'stopped', 'paused', 'suspended'])
    const image = await deps.image.createSnapshot(trx, {
      name: `${server.name}-shelved`,
      owner: server.projectId,
      minDiskGiB: Math.max(server.image.minDiskGiB, server.flavor.diskGiB),
      minRamMiB: server.image.minRamMiB,
      properties: propertiesOf(server, {}),
    })
    const event = { action: 'shelve', event: 'compute_shelve_instance', at }
    const actionId = (await record(trx, ctx, [server], event)).get(id)!
    await snapshotRows.insert(trx, {
      ...{ id: newId(), server_id: id, image_id: image, host: server.host!, action_id: actionId },
      ...{ user_id: ctx.userId, project_id: server.projectId, backup_type: null, rotation: null },
      ...{ tries: 0, retry_at_ms: clock.nowMs() + stopMs, open: 1, message: null, created_at: at, updated_at: at },
    })
    await serverRows.update(trx, id, {
      ...{ wish: 'stopped', goal: 'shelved', taskState: 'shelving', shelvedImageId: image, actionId },
      ...{ generation: server.generation + 1, tries: 0, retryAtMs: null, updatedAt: at },
    })
  })
  faultPoint('compute.api.action.committed')
  nudge('compute.servers')
}

/** The container is stopped: its image may be made. In the transaction that says so; nudge `compute.snapshots`. */
export async function stopped(trx: Trx, serverId: string, at: string): Promise<void> {
  for (const { id } of await snapshotRows.openOf(trx, serverId)) {
    await snapshotRows.update(trx, id, { retry_at_ms: null, updated_at: at })
  }
}

/** Its image is made: off the host with the rest. Nudge `compute.servers`. */
export async function imaged(trx: Trx, server: Server, at: string): Promise<void> {
  await serverRows.update(trx, server.id, {
    ...{ vmState: 'shelved', wish: 'absent', goal: 'shelved_offloaded', taskState: 'shelving_offloading' },
    ...{ generation: server.generation + 1, tries: 0, retryAtMs: null, updatedAt: at },
  })
}

/** No image could be made: the server is down, and still there. */
export async function notImaged(trx: Trx, server: Server, problem: string, at: string): Promise<void> {
  const fault = { code: 500, message: `Shelving failed: ${problem}`, created: at }
  await serverRows.update(trx, server.id, {
    ...{ vmState: 'stopped', goal: null, taskState: null, shelvedImageId: null, fault, updatedAt: at },
  })
}

/** The host has nothing of it any more; room and cables are given back. */
export async function offloaded(deps: Deps, trx: Trx, serverId: string): Promise<void> {
  await deps.placement.release(trx, serverId)
  await deps.network.moveServer(trx, serverId, null)
}

/** A shelved server leaves its host by itself, so this finds it on its way or gone. */
export async function offload(deps: Deps, ctx: Context, id: string): Promise<void> {
  const { database } = deps.ground
  const server = await serverRows.get(database.read, id)
  checkLock(ctx, server)
  const onItsWay = server.vmState === 'shelved' && server.taskState === 'shelving_offloading'
  if (onItsWay) return
  const text = `Cannot 'shelveOffload' instance ${id} while it is in vm_state ${server.vmState}`
  throw new CloudError('conflict', text)
}

/** Records that a shelved server shall run again, on whatever host has room; `zone` and `host` may narrow it. */
export async function unshelve(
  deps: Deps,
  ctx: Context,
  id: string,
  wanted: { zone: string | null; host: string | null },
): Promise<void> {
  const { database, clock, nudge } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    const { vmState, taskState, shelvedImageId } = server
    if (vmState !== 'shelved_offloaded' || taskState !== null || shelvedImageId === null) {
      const [attribute, state] = taskState === null ? ['vm_state', vmState] : ['task_state', taskState]
      throw new CloudError('conflict', `Cannot 'unshelve' instance ${id} while it is in ${attribute} ${state}`)
    }
    const image = await deps.image.bootable(trx, { ...ctx, isAdmin: true }, shelvedImageId)
    if (image.reference === null) {
      throw new CloudError('conflict', `The image ${shelvedImageId} of the shelved instance ${id} is gone.`)
    }
    const asked = await placingOf(trx, server, { zone: wanted.zone, forcedHost: wanted.host })
    const { placed, refused, decisions } = await schedule(deps, trx, { ...asked, image }, [id])
    const chosen = placed.get(id)
    if (!chosen) throw new CloudError('conflict', noValidHost(refused))
    await decisionRows.put(trx, decisions)
    const host = chosen.name
    await deps.network.moveServer(trx, id, host)
    const event = { action: 'unshelve', event: 'compute_unshelve_instance', at }
    const actions = await record(trx, ctx, [{ ...server, host }], event)
    await serverRows.update(trx, id, {
      ...{ host, image: imageOf(image), wish: 'running', goal: null, taskState: 'unshelving' },
      availabilityZone: chosen.zone,
      ...{ generation: server.generation + 1, tries: 0, retryAtMs: null, fault: null },
      ...{ actionId: actions.get(id) ?? null, updatedAt: at },
    })
  })
  faultPoint('compute.api.action.committed')
  nudge('network.ports')
  nudge('compute.servers')
}

/** It runs again from what was its shelf, which is not needed any more. */
export async function unshelved(deps: Deps, trx: Trx, server: Server): Promise<void> {
  await deps.image.remove(trx, server.shelvedImageId!)
  await serverRows.update(trx, server.id, { shelvedImageId: null, updatedAt: deps.ground.clock.now() })
}
