import type { Context } from '../../../platform/auth/context.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { newId } from '../../../platform/ids.ts'
import * as actionRows from '../db/actions.ts'
import * as serverRows from '../db/servers.ts'
import * as snapshotRows from '../db/snapshots.ts'
import type { SnapshotReport } from '../messages.ts'
import { record } from './actions.ts'
import { backoffMs } from './backoff.ts'
import { checkState } from './checks.ts'
import type { Deps } from './deps.ts'
import * as moves from './moves.ts'
import * as shelving from './shelve.ts'
import { propertiesOf } from './snapshot-properties.ts'
import { isSnapshotTask, snapshotFrom } from './states.ts'

const mostTries = 5

/**
 * Records that an image shall be made of a server, and makes the image it goes to; gives the image's id.
 * @throws CloudError `conflict` while another one is under way
 */
export async function create(
  deps: Deps,
  ctx: Context,
  serverId: string,
  wanted: { name: string; metadata: Readonly<Record<string, string>>; backup?: { type: string; rotation: number } },
): Promise<string> {
  const { database, clock, nudge } = deps.ground
  const imageId = await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, serverId)
    const { backup } = wanted
    checkState(server, backup ? 'createBackup' : 'createImage', snapshotFrom)
    const image = await deps.image.createSnapshot(trx, {
      name: wanted.name,
      owner: ctx.projectId ?? server.projectId,
      minDiskGiB: Math.max(server.image.minDiskGiB, server.flavor.diskGiB),
      minRamMiB: server.image.minRamMiB,
      properties: {
        ...propertiesOf(server, wanted.metadata),
        ...(backup ? { image_type: 'backup', backup_type: backup.type } : {}),
      },
    })
    const event = backup
      ? { action: 'createBackup', event: 'compute_backup_instance', at }
      : { action: 'createImage', event: 'compute_snapshot_instance', at }
    const actionId = (await record(trx, ctx, [server], event)).get(serverId)!
    await snapshotRows.insert(trx, {
      ...{ id: newId(), server_id: serverId, image_id: image, host: server.host!, action_id: actionId },
      ...{ user_id: ctx.userId, project_id: ctx.projectId ?? server.projectId },
      ...{ backup_type: backup?.type ?? null, rotation: backup?.rotation ?? null },
      ...{ tries: 0, retry_at_ms: null, open: 1, message: null, created_at: at, updated_at: at },
    })
    await serverRows.update(trx, serverId, { taskState: backup ? 'image_backup' : 'image_snapshot', updatedAt: at })
    return image
  })
  faultPoint('compute.api.snapshot.committed')
  nudge('compute.snapshots')
  return imageId
}

const taskOf = { committed: 'image_pending_upload', uploading: 'image_uploading' } as const

/** What a host said of a snapshot, written down if it still matters. */
export async function apply(deps: Deps, report: SnapshotReport): Promise<void> {
  const { database, clock, nudge } = deps.ground
  const retryInMs = await database.write(async (trx) => {
    const at = clock.now()
    const snapshot = await snapshotRows.find(trx, report.snapshotId)
    if (!snapshot || snapshot.open === 0 || snapshot.host !== report.host) return null
    switch (report.state) {
      case 'committed':
      case 'uploading': {
        const server = await serverRows.find(trx, snapshot.server_id)
        const taskState = taskOf[report.state]
        if (!server || !isSnapshotTask(server.taskState) || server.taskState === taskState) return null
        await serverRows.update(trx, server.id, { taskState, updatedAt: at })
        return null
      }
      case 'done':
        await close(deps, trx, snapshot, at, null)
        await rotate(deps, trx, snapshot)
        return null
      case 'failed': {
        const message = report.message ?? 'The host did not say why'
        const tries = snapshot.tries + 1
        if (tries >= mostTries) {
          await close(deps, trx, snapshot, at, message)
          await deps.image.fail(trx, snapshot.image_id)
          return null
        }
        const retry_at_ms = clock.nowMs() + backoffMs(tries)
        await snapshotRows.update(trx, snapshot.id, { tries, retry_at_ms, message, updated_at: at })
        return backoffMs(tries)
      }
    }
  })
  faultPoint('compute.snapshot.report.applied')
  // Only hints at the right moment: the loops look for themselves.
  if (report.state === 'done' || report.state === 'failed') {
    nudge('compute.servers')
    nudge('network.ports')
  }
  if (retryInMs !== null) setTimeout(() => nudge('compute.snapshots'), retryInMs).unref()
}

/** Ends it one way or the other; `problem` is why there is no image. */
async function close(
  deps: Deps,
  trx: Trx,
  snapshot: snapshotRows.Snapshot,
  at: string,
  problem: string | null,
): Promise<void> {
  await snapshotRows.update(trx, snapshot.id, { open: 0, message: problem, updated_at: at })
  const server = await serverRows.find(trx, snapshot.server_id)
  const shelves = server?.shelvedImageId === snapshot.image_id && server.goal === 'shelved'
  if (shelves && problem === null) return await shelving.imaged(trx, server, at)
  if (server?.taskState === 'resize_migrating') {
    const move = await moves.openOf(trx, server.id)
    if (move?.image_id === snapshot.image_id) {
      if (problem === null) await moves.imaged(deps, trx, server, move, at)
      else await moves.failed(deps, trx, server, problem, at)
      return
    }
  }
  await actionRows.finish(trx, snapshot.action_id, at, problem)
  if (shelves) return await shelving.notImaged(trx, server, problem ?? '', at)
  if (server && isSnapshotTask(server.taskState)) {
    await serverRows.update(trx, server.id, { taskState: null, updatedAt: at })
  }
}

/** Of a kind of backup only so many are kept: the oldest go. */
async function rotate(
  deps: Deps,
  trx: Trx,
  { server_id, backup_type, rotation }: snapshotRows.Snapshot,
): Promise<void> {
  if (backup_type === null || rotation === null) return
  const made = await snapshotRows.backups(trx, server_id, backup_type)
  for (const { image_id } of made.slice(rotation)) await deps.image.remove(trx, image_id)
}

/** Gives up what is under way for a server, and the images that wait for it. Repeatable. */
export async function closeSnapshots(
  deps: Deps,
  trx: Trx,
  serverId: string,
  at: string,
  reason: string,
): Promise<void> {
  for (const snapshot of await snapshotRows.openOf(trx, serverId)) {
    await close(deps, trx, snapshot, at, reason)
    await deps.image.fail(trx, snapshot.image_id)
  }
}
