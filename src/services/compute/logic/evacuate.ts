import { type Context, projectOf } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { newId } from '../../../platform/ids.ts'
import * as actionRows from '../db/actions.ts'
import * as decisionRows from '../db/decisions.ts'
import * as migrationRows from '../db/migrations.ts'
import * as serverRows from '../db/servers.ts'
import * as serviceRows from '../db/services.ts'
import { record } from './actions.ts'
import { refuseState } from './checks.ts'
import type { Deps } from './deps.ts'
import * as moves from './moves.ts'
import { noValidHost, placingOf, schedule } from './scheduler.ts'
import { closeSnapshots } from './snapshots.ts'

/**
 * Records that a server whose host is down shall be made anew on another, from its image: what it had written is on the
 * other host's disk. Should that host come back, it is told to remove what it has.
 * @throws CloudError
 */
export async function evacuate(deps: Deps, ctx: Context, id: string, host: string | null): Promise<void> {
  const { database, clock, nudge } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    const { vmState, host: from } = server
    if (!['active', 'stopped', 'error'].includes(vmState) || from === null) {
      refuseState(server, 'evacuate', 'vm_state', vmState)
    }
    if (host !== null && !(await deps.hosts.list('compute', trx)).some(({ name }) => name === host)) {
      throw new CloudError('notFound', `Compute host ${host} not found.`)
    }
    if (host === from) throw new CloudError('badRequest', "The target host can't be the same one.")
    const service = await serviceRows.findByHost(trx, from)
    const known = (await deps.hosts.list('compute', trx)).find(({ name }) => name === from)
    if (service?.forced_down !== 1 && known && deps.hosts.isUp(known)) {
      throw new CloudError('badRequest', `Compute service of ${from} is still in use.`)
    }
    const event = { action: 'evacuate', event: 'compute_rebuild_instance', at }
    const actionId = (await record(trx, ctx, [server], event)).get(id) ?? null
    if (server.actionId) await actionRows.finish(trx, server.actionId, at, 'The server was evacuated meanwhile')
    await closeSnapshots(deps, trx, id, at, 'The server was evacuated meanwhile')
    await moves.abandon(deps, trx, id, at)
    await deps.placement.release(trx, id)
    const where = { zone: null, forcedHost: host, notOn: [from] }
    const found = await schedule(deps, trx, await placingOf(trx, server, where), [id])
    const chosen = found.placed.get(id)
    if (!chosen) throw new CloudError('badRequest', noValidHost(found.refused))
    await decisionRows.put(trx, found.decisions)
    await deps.network.moveServer(trx, id, chosen.name)
    await migrationRows.insert(trx, {
      ...{ uuid: newId(), server_id: id, host: from, dest_host: chosen.name, type: 'evacuation', status: 'accepted' },
      ...{ image_id: null, before: null },
      old_flavor_number: migrationRows.numberOf(server.flavor.id),
      new_flavor_number: migrationRows.numberOf(server.flavor.id),
      ...{ user_id: ctx.userId, project_id: projectOf(ctx), created_at: at, updated_at: at },
    })
    await serverRows.update(trx, id, {
      ...{ host: chosen.name, availabilityZone: chosen.zone, containerId: null, buildEpoch: server.buildEpoch + 1 },
      ...{ wish: vmState === 'stopped' ? 'stopped' : 'running', goal: null, rescue: null, taskState: 'rebuilding' },
      ...{ generation: server.generation + 1, tries: 0, retryAtMs: null, fault: null, actionId, updatedAt: at },
    })
  })
  faultPoint('compute.api.action.committed')
  nudge('network.ports')
  nudge('compute.servers')
}
