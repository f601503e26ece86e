import type { Trx } from '../../../platform/db/database.ts'
import { faultPoint } from '../../../platform/faults.ts'
import * as actionRows from '../db/actions.ts'
import * as migrationRows from '../db/migrations.ts'
import type { Server } from '../db/servers.ts'
import * as serverRows from '../db/servers.ts'
import * as serviceRows from '../db/services.ts'
import { type HostInventory, type ServerReport, subjects } from '../messages.ts'
import type { Deps } from './deps.ts'
import * as interfaces from './interfaces.ts'
import * as moves from './moves.ts'
import { orphanOrder } from './orders.ts'
import { finishRemoval } from './server-actions.ts'
import { settle } from './settle.ts'
import * as shelving from './shelve.ts'

/** What a host said of one server, written down if it is news. Late and doubled reports change nothing. */
export async function apply(deps: Deps, report: ServerReport): Promise<void> {
  const known = await serverRows.findEvenDeleted(deps.ground.database.read, report.serverId)
  if (!isOrphan(known, report)) return known && (await write(deps, known, report, false))
  const kept = await migrationRows.keptOn(deps.ground.database.read, report.host, [report.serverId])
  if (!kept.has(report.serverId)) deps.bus.publish(subjects.order(report.host), orphanOrder(report))
}

/** The host has something that nobody wants there. */
const isOrphan = (known: Server | undefined, report: ServerReport): boolean =>
  report.seen !== 'absent' && (!known || known.deleted || known.host !== report.host)

async function write(deps: Deps, known: Server, report: ServerReport, inventory: boolean): Promise<void> {
  const { database, clock, nudge } = deps.ground
  const now = () => ({ at: clock.now(), ms: clock.nowMs() })
  // Most of what a host says of everything is known: no write for that.
  if (known.deleted || settle(known, report, inventory, now()).kind === 'nothing') return

  let replugged = false
  const settled = await database.write(async (trx) => {
    replugged = false
    const server = await serverRows.find(trx, report.serverId)
    if (!server || server.host !== report.host) return null
    const moment = now()
    const verdict = settle(server, report, inventory, moment)
    if (verdict.kind === 'gone') await finishRemoval(deps, trx, server, moment.at)
    if (verdict.kind === 'changed') {
      const { patch, finished } = verdict
      const problem = patch.vmState === 'error' ? (finished?.problem ?? null) : null
      const undone =
        problem !== null &&
        ((await interfaces.refused(deps, trx, server, problem, moment.at)) ||
          (await moves.failed(deps, trx, server, problem, moment.at)))
      if (undone) {
        // As it was before: its next order says so.
        replugged = true
        return { ...verdict, patch: { generation: server.generation + 1, updatedAt: moment.at }, retryInMs: null }
      }
      await serverRows.update(trx, server.id, patch)
      if (server.vmState === 'building' && finished) {
        await serviceRows.countBuild(trx, report.host, finished.problem === null)
      }
      replugged = await follow(deps, trx, server, patch, moment.at)
      if (finished && server.actionId) await actionRows.finish(trx, server.actionId, moment.at, finished.problem)
    }
    return verdict
  })
  faultPoint('compute.report.applied')
  if (replugged || settled?.kind === 'gone') nudge('network.ports')
  if (settled?.kind !== 'changed') return
  const { patch, retryInMs } = settled
  if (patch.taskState === 'shelving_image_uploading' || known.taskState === 'resize_migrating')
    nudge('compute.snapshots')
  // Only a hint at the right moment: the loop looks for itself.
  if (retryInMs !== null) setTimeout(() => nudge('compute.servers'), retryInMs).unref()
  else if (patch.generation !== undefined || patch.seenGeneration !== undefined) nudge('compute.servers')
}

/** What goes on elsewhere when a server reaches what was wanted of it. Tells whether its ports are to be looked at. */
async function follow(
  deps: Deps,
  trx: Trx,
  before: Server,
  patch: serverRows.ServerPatch,
  at: string,
): Promise<boolean> {
  const { vmState, taskState } = patch
  const settles = patch.seenGeneration === before.generation
  const replugged = settles && (await interfaces.reached(deps, trx, before, at))
  if (taskState === 'shelving_image_uploading' || (settles && before.taskState === 'resize_migrating'))
    await shelving.stopped(trx, before.id, at)
  if (vmState === 'shelved_offloaded') await shelving.offloaded(deps, trx, before.id)
  if (vmState === 'resized' && before.vmState !== 'resized') {
    await migrationRows.finish(trx, before.id, 'finished', at)
  }
  if (before.taskState === 'rebuilding' && settles) await migrationRows.finish(trx, before.id, 'done', at)
  if (vmState === 'active' && before.shelvedImageId !== null) await shelving.unshelved(deps, trx, before)
  return replugged || vmState === 'shelved_offloaded'
}

/**
 * A host's list of everything it has. What it has and nobody wants is told to go; what is wanted there and is not, is
 * ordered again. Two queries, however many servers, and a write for each difference.
 */
export async function applyInventory(deps: Deps, { host, servers }: HostInventory): Promise<void> {
  const { database, clock, nudge } = deps.ground
  const wanted = new Map((await serverRows.listByHost(database.read, host)).map((server) => [server.id, server]))
  const strange = servers.filter((report) => !wanted.has(report.serverId))
  const elsewhere = await serverRows.listByIds(
    database.read,
    strange.map((report) => report.serverId),
  )
  const known = new Map(elsewhere.map((server) => [server.id, server]))
  const kept = await migrationRows.keptOn(
    database.read,
    host,
    strange.map((report) => report.serverId),
  )
  for (const report of strange) {
    if (kept.has(report.serverId)) continue
    if (isOrphan(known.get(report.serverId), report)) deps.bus.publish(subjects.order(host), orphanOrder(report))
  }
  for (const report of servers) {
    const server = wanted.get(report.serverId)
    if (server) await write(deps, server, report, true)
    wanted.delete(report.serverId)
  }
  const missing = [...wanted.values()].filter(
    (server) => server.seenGeneration >= server.generation && server.vmState !== 'error',
  )
  for (const { id, generation } of missing) {
    await database.write(async (trx) => {
      const server = await serverRows.find(trx, id)
      if (server?.host !== host || server.generation !== generation) return
      // A new generation, so that a late report of the old one can not settle it.
      const patch = { generation: generation + 1, tries: 0, retryAtMs: null, updatedAt: clock.now() }
      await serverRows.update(trx, id, patch)
    })
  }
  nudge('compute.servers')
}
