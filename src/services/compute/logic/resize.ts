import { type Context, projectOf } from '../../../platform/auth/context.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { newId } from '../../../platform/ids.ts'
import * as flavorRows from '../db/flavors.ts'
import * as migrationRows from '../db/migrations.ts'
import * as serverRows from '../db/servers.ts'
import { subjects } from '../messages.ts'
import { record } from './actions.ts'
import { checkLock, checkState } from './checks.ts'
import type { Deps } from './deps.ts'
import * as moves from './moves.ts'
import { orphanOrder } from './orders.ts'
import { admitMore } from './quotas.ts'
import { resourcesOf } from './resources.ts'
import { noValidHost } from './scheduler.ts'
import { power } from './states.ts'

type Server = serverRows.Server

export interface Wanted {
  flavorId: string
  diskConfig: Server['diskConfig']
}

/**
 * Records that a server shall have the limits of another flavor, where it is and without a stop. Until it is confirmed
 * or reverted, the host keeps room for the bigger of the two.
 * @throws CloudError
 */
export async function resize(deps: Deps, ctx: Context, id: string, wanted: Wanted): Promise<void> {
  const { flavorId, diskConfig } = wanted
  const { database, clock, nudge } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, 'resize', ['active', 'stopped'])
    const flavor = await flavorRows.find(trx, flavorId, ctx)
    if (!flavor) throw new CloudError('badRequest', `Flavor ${flavorId} could not be found.`)
    if (flavor.id === server.flavor.id) {
      throw new CloudError('badRequest', 'When resizing, instances must change flavor!')
    }
    if (flavor.diskGiB === 0 && server.flavor.diskGiB !== 0) {
      throw new CloudError('badRequest', 'Resize to zero disk flavor is not allowed.')
    }
    if (flavor.memoryMiB < server.image.minRamMiB) {
      throw new CloudError('badRequest', "Flavor's memory is too small for requested image.")
    }
    await admitMore(deps, trx, server.projectId, {
      vcpus: flavor.vcpus - server.flavor.vcpus,
      memoryMiB: flavor.memoryMiB - server.flavor.memoryMiB,
    })
    const next = flavorOf(flavor)
    const actions = await record(trx, ctx, [server], { action: 'resize', event: 'compute_prep_resize', at })
    const lacking = deps.ground.config.allowResizeToSameHost
      ? await holdOr(deps, trx, server, bigger(resourcesOf(server.flavor), resourcesOf(next)))
      : 'Resizes to the same host are switched off.'
    if (lacking !== null) {
      const actionId = actions.get(id) ?? null
      await serverRows.update(trx, id, { diskConfig, updatedAt: at })
      const move = { type: 'resize', flavor: next, host: null, actionId } as const
      return await moves.begin(deps, trx, ctx, server, move).catch((error: unknown) => {
        if (!(error instanceof CloudError) || error.kind !== 'badRequest') throw error
        throw new CloudError('badRequest', `${error.message} ${lacking}`, { cause: error })
      })
    }
    await migrationRows.insert(trx, {
      ...{ uuid: newId(), server_id: id, host: server.host!, status: 'migrating' },
      ...{ dest_host: null, type: 'resize', image_id: null, before: null },
      old_flavor_number: migrationRows.numberOf(server.flavor.id),
      new_flavor_number: migrationRows.numberOf(flavor.id),
      ...{ user_id: ctx.userId, project_id: projectOf(ctx), created_at: at, updated_at: at },
    })
    await serverRows.update(trx, id, {
      ...{ flavor: next, oldFlavor: server.flavor, goal: 'resized', taskState: 'resize_finish', diskConfig },
      ...{ generation: server.generation + 1, tries: 0, retryAtMs: null },
      ...{ actionId: actions.get(id) ?? null, updatedAt: at },
    })
  })
  faultPoint('compute.api.action.committed')
  nudge('compute.servers')
}

/** The host has the new limits already: what was kept for going back is given up. */
export async function confirm(deps: Deps, ctx: Context, id: string): Promise<void> {
  const { database, clock } = deps.ground
  const left = await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, 'confirmResize', ['resized'])
    await record(trx, ctx, [server], { action: 'confirmResize', event: null, at })
    const move = await moves.openOf(trx, id)
    if (move) await moves.confirmed(deps, trx, move)
    await hold(deps, trx, server, resourcesOf(server.flavor))
    await migrationRows.finish(trx, id, 'confirmed', at)
    const vmState = server.powerState === power.shutdown ? 'stopped' : 'active'
    await serverRows.update(trx, id, { vmState, goal: null, oldFlavor: null, updatedAt: at })
    return move && { host: move.host, generation: server.generation }
  })
  // Should this be lost, the host's next inventory brings it up.
  if (left) deps.bus.publish(subjects.order(left.host), orphanOrder({ serverId: id, generation: left.generation }))
}

export async function revert(deps: Deps, ctx: Context, id: string): Promise<void> {
  const { database, clock, nudge } = deps.ground
  const left = await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, 'revertResize', ['resized'])
    if (!server.oldFlavor) throw new CloudError('conflict', `Instance ${id} has no flavor to go back to`)
    const event = { action: 'revertResize', event: 'compute_revert_resize', at }
    const actions = await record(trx, ctx, [server], event)
    // Back from a smaller flavor is more again, as upstream.
    await admitMore(deps, trx, server.projectId, {
      vcpus: server.oldFlavor.vcpus - server.flavor.vcpus,
      memoryMiB: server.oldFlavor.memoryMiB - server.flavor.memoryMiB,
    })
    const move = await moves.openOf(trx, id)
    if (move) {
      const outcome = { status: 'reverted', actionId: actions.get(id) ?? null, fault: null, at } as const
      await moves.goBack(deps, trx, server, move, outcome)
      return { host: move.dest_host, generation: server.generation }
    }
    await hold(deps, trx, server, resourcesOf(server.oldFlavor))
    await migrationRows.finish(trx, id, 'reverted', at)
    await serverRows.update(trx, id, {
      ...{ flavor: server.oldFlavor, oldFlavor: null, goal: null, taskState: 'resize_reverting' },
      ...{ generation: server.generation + 1, tries: 0, retryAtMs: null },
      ...{ actionId: actions.get(id) ?? null, updatedAt: at },
    })
    return null
  })
  faultPoint('compute.api.action.committed')
  if (left) {
    deps.bus.publish(subjects.order(left.host), orphanOrder({ serverId: id, generation: left.generation }))
    nudge('network.ports')
  }
  nudge('compute.servers')
}

/** The same, but what is lacking is an answer. */
async function holdOr(deps: Deps, trx: Trx, server: Server, resources: Map<string, number>): Promise<string | null> {
  try {
    await hold(deps, trx, server, resources)
    return null
  } catch (error) {
    if (error instanceof CloudError && error.kind === 'badRequest') return error.message
    throw error
  }
}

/** What the server holds of its host, from now on. @throws CloudError `badRequest` when the host has not so much */
async function hold(deps: Deps, trx: Trx, server: Server, resources: Map<string, number>): Promise<void> {
  await deps.placement.release(trx, server.id)
  const { placed, refusals } = await deps.placement.claim(trx, {
    ...{ consumerIds: [server.id], projectId: server.projectId, userId: server.userId },
    ...{ resources, candidates: [server.host!] },
  })
  if (!placed.has(server.id)) throw new CloudError('badRequest', noValidHost([], refusals))
}

const bigger = (a: Map<string, number>, b: Map<string, number>): Map<string, number> =>
  new Map([...a].map(([name, amount]) => [name, Math.max(amount, b.get(name) ?? 0)]))

const flavorOf = (flavor: flavorRows.Flavor): serverRows.ServerFlavor => ({
  ...{ id: flavor.id, name: flavor.name, vcpus: flavor.vcpus, memoryMiB: flavor.memoryMiB },
  ...{ diskGiB: flavor.diskGiB, ephemeralGiB: flavor.ephemeralGiB, swapMiB: flavor.swapMiB },
  extraSpecs: flavor.extraSpecs,
})
