import { type Context, projectOf, systemContext } from '../../../platform/auth/context.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { newId } from '../../../platform/ids.ts'
import * as actionRows from '../db/actions.ts'
import * as decisionRows from '../db/decisions.ts'
import * as migrationRows from '../db/migrations.ts'
import * as serverRows from '../db/servers.ts'
import * as snapshotRows from '../db/snapshots.ts'
import { record } from './actions.ts'
import { checkLock, checkState } from './checks.ts'
import type { Deps } from './deps.ts'
import { imageOf } from './images.ts'
import { resourcesOf } from './resources.ts'
import { noValidHost, placingOf, schedule } from './scheduler.ts'

type Server = serverRows.Server
type Move = migrationRows.MigrationRow & { dest_host: string }

/** What a server was before it moved, for going back. */
interface Before {
  vmState: 'active' | 'stopped'
  image: serverRows.ServerImage
  buildEpoch: number
  zone: string | null
}

/** The image that carries a server waits for it to stop; should word of that be lost, it is made after this time. */
const stopMs = 600_000

/** Records that a server shall run on another host. @throws CloudError */
export async function migrate(deps: Deps, ctx: Context, id: string, host: string | null): Promise<void> {
  const { database, clock, nudge } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, 'migrate', ['active', 'stopped'])
    if (host !== null) await checkHost(deps, trx, host)
    if (host === server.host) {
      throw new CloudError('badRequest', `Cannot migrate instance ${id} to the same host. It is on ${host} already.`)
    }
    const event = { action: 'migrate', event: 'cold_migrate', at }
    const actionId = (await record(trx, ctx, [server], event)).get(id) ?? null
    await begin(deps, trx, ctx, server, { type: 'migration', flavor: server.flavor, host, actionId })
  })
  faultPoint('compute.api.action.committed')
  nudge('compute.servers')
}

/** @throws CloudError `badRequest` */
export async function checkHost(deps: Deps, trx: Trx, host: string): Promise<void> {
  const known = await deps.hosts.list('compute', trx)
  if (known.some(({ name }) => name === host)) return
  throw new CloudError('badRequest', `Compute host ${host} could not be found.`)
}

/**
 * A move in the caller's transaction: room is taken at the other host and kept at this one; then the server is stopped,
 * committed to an image, and made from that on the other host. Until it is confirmed or reverted, its container stays
 * where it was. @throws CloudError `badRequest` when no other host will do
 */
export async function begin(
  deps: Deps,
  trx: Trx,
  ctx: Context,
  server: Server,
  wanted: {
    type: 'migration' | 'resize'
    flavor: serverRows.ServerFlavor
    host: string | null
    actionId: string | null
  },
): Promise<void> {
  const { clock } = deps.ground
  const { id } = server
  const { flavor, type, actionId } = wanted
  const at = clock.now()
  const uuid = newId()
  await deps.placement.release(trx, id)
  await hold(deps, trx, server, uuid, server.host!, server.flavor)
  const where = { zone: null, forcedHost: wanted.host, notOn: [server.host!] }
  const placed = await schedule(deps, trx, await placingOf(trx, { ...server, flavor }, where), [id])
  const chosen = placed.placed.get(id)
  if (!chosen) throw new CloudError('badRequest', noValidHost(placed.refused))
  await decisionRows.put(trx, placed.decisions)
  const image = await deps.image.createSnapshot(trx, {
    name: `${server.name}-moving`,
    owner: server.projectId,
    minDiskGiB: 0,
    minRamMiB: 0,
    properties: {},
  })
  const before: Before = {
    vmState: server.vmState === 'stopped' ? 'stopped' : 'active',
    ...{ image: server.image, buildEpoch: server.buildEpoch, zone: server.availabilityZone },
  }
  await migrationRows.insert(trx, {
    ...{ uuid, server_id: id, host: server.host!, dest_host: chosen.name, type, status: 'migrating' },
    ...{ image_id: image, before: JSON.stringify(before) },
    old_flavor_number: migrationRows.numberOf(server.flavor.id),
    new_flavor_number: migrationRows.numberOf(flavor.id),
    ...{ user_id: ctx.userId, project_id: projectOf(ctx), created_at: at, updated_at: at },
  })
  await snapshotRows.insert(trx, {
    ...{ id: newId(), server_id: id, image_id: image, host: server.host!, action_id: actionId ?? '' },
    ...{ user_id: ctx.userId, project_id: server.projectId, backup_type: null, rotation: null },
    ...{ tries: 0, retry_at_ms: clock.nowMs() + stopMs, open: 1, message: null, created_at: at, updated_at: at },
  })
  await serverRows.update(trx, id, {
    ...{ flavor, oldFlavor: server.flavor, wish: 'stopped', goal: 'resized', taskState: 'resize_migrating' },
    ...{ generation: server.generation + 1, tries: 0, retryAtMs: null, actionId, updatedAt: at },
  })
}

/** Takes room for one consumer on one host. @throws CloudError `badRequest` when it has not so much */
async function hold(
  deps: Deps,
  trx: Trx,
  { projectId, userId }: Server,
  consumer: string,
  host: string,
  flavor: serverRows.ServerFlavor,
): Promise<void> {
  const { placed } = await deps.placement.claim(trx, {
    ...{ consumerIds: [consumer], projectId, userId, resources: resourcesOf(flavor), candidates: [host] },
  })
  if (!placed.has(consumer)) throw new CloudError('badRequest', `Host ${host} has no room for it.`)
}

/** The move that is under way for a server; undefined for a resize where it is, too. */
export async function openOf(trx: Trx, serverId: string): Promise<Move | undefined> {
  const found = await migrationRows.openOf(trx, serverId)
  return found && found.dest_host !== null && found.type !== 'evacuation' ? (found as Move) : undefined
}

const beforeOf = ({ before }: Move): Before => JSON.parse(before ?? '{}') as Before

/** Its image is made: from now on it is the other host's. Nudge `compute.servers` and `network.ports`. */
export async function imaged(deps: Deps, trx: Trx, server: Server, move: Move, at: string): Promise<void> {
  const image = await deps.image.bootable(trx, serviceContext(server), move.image_id!)
  const zones = await deps.hostView.list(trx)
  await deps.network.moveServer(trx, server.id, move.dest_host)
  await serverRows.update(trx, server.id, {
    ...{ host: move.dest_host, image: imageOf(image), buildEpoch: server.buildEpoch + 1, containerId: null },
    ...{ wish: beforeOf(move).vmState === 'stopped' ? 'stopped' : 'running', taskState: 'resize_finish' },
    availabilityZone: zones.find(({ name }) => name === move.dest_host)?.zone ?? server.availabilityZone,
    ...{ generation: server.generation + 1, tries: 0, retryAtMs: null, updatedAt: at },
  })
}

const serviceContext = ({ id, projectId }: Server) => systemContext(`move-${id}`, { id: projectId, domainId: '' })

/** What was kept for going back is given up. The caller tells the other host to remove what it has. */
export async function confirmed(deps: Deps, trx: Trx, move: Move): Promise<void> {
  await deps.placement.release(trx, move.uuid)
  await deps.image.remove(trx, move.image_id!)
}

/**
 * Back to where it was, whether somebody wants that or the move has failed (`fault`). The caller tells the other host to
 * remove what it has. Nudge `compute.servers` and `network.ports`.
 */
export async function goBack(
  deps: Deps,
  trx: Trx,
  server: Server,
  move: Move,
  outcome: { status: 'reverted' | 'error'; actionId: string | null; fault: serverRows.ServerFault | null; at: string },
): Promise<void> {
  const { status, actionId, fault, at } = outcome
  const before = beforeOf(move)
  const flavor = server.oldFlavor ?? server.flavor
  await deps.placement.release(trx, server.id)
  await deps.placement.release(trx, move.uuid)
  await hold(deps, trx, server, server.id, move.host, flavor)
  await deps.network.moveServer(trx, server.id, move.host)
  await deps.image.remove(trx, move.image_id!)
  await migrationRows.finish(trx, server.id, status, at)
  await serverRows.update(trx, server.id, {
    ...{ host: move.host, image: before.image, buildEpoch: before.buildEpoch, availabilityZone: before.zone },
    ...{ flavor, oldFlavor: null, goal: null, containerId: null, fault },
    ...{ wish: before.vmState === 'stopped' ? 'stopped' : 'running', taskState: 'resize_reverting', actionId },
    ...{ generation: server.generation + 1, tries: 0, retryAtMs: null, updatedAt: at },
  })
}

/** A step of a move has failed for good: the server is as it was. False when no move is under way. */
export async function failed(deps: Deps, trx: Trx, server: Server, problem: string, at: string): Promise<boolean> {
  const move = await openOf(trx, server.id)
  if (move?.status !== 'migrating') return false
  if (server.actionId) await actionRows.finish(trx, server.actionId, at, problem)
  for (const { id } of await snapshotRows.openOf(trx, server.id)) {
    await snapshotRows.update(trx, id, { open: 0, message: problem, updated_at: at })
  }
  const fault = { code: 500, message: `The move to ${move.dest_host} failed: ${problem}`, created: at }
  await goBack(deps, trx, server, move, { status: 'error', actionId: null, fault, at })
  return true
}

/** The server is deleted: what its moves held is given back. */
export async function abandon(deps: Deps, trx: Trx, serverId: string, at: string): Promise<void> {
  const move = await openOf(trx, serverId)
  if (!move) return await migrationRows.finish(trx, serverId, 'error', at)
  await confirmed(deps, trx, move)
  await migrationRows.finish(trx, serverId, 'error', at)
}
