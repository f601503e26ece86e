import { type Context, projectOf } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import { newId } from '../../../platform/ids.ts'
import * as actionRows from '../db/actions.ts'
import * as migrationRows from '../db/migrations.ts'
import * as serverRows from '../db/servers.ts'
import { record } from './actions.ts'
import { checkLock, checkState } from './checks.ts'
import type { Deps } from './deps.ts'
import { checkHost } from './moves.ts'

const why =
  'Migration pre-check error: the processes of a container cannot be moved while they run; migrate it stopped (`migrate`).'

/**
 * No container's processes can be moved while they run, so a live migration ends with the checks before it, as it does
 * upstream with a driver that cannot: the migration and the action say so, and the server goes on where it is.
 * `late`: from 2.34 on the caller is not kept waiting for that. @throws CloudError
 */
export async function migrateLive(
  deps: Deps,
  ctx: Context,
  id: string,
  wanted: { host: string | null; late: boolean },
): Promise<void> {
  const { database, clock } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, 'os-migrateLive', ['active', 'paused'])
    if (wanted.host !== null) await checkHost(deps, trx, wanted.host)
    const event = { action: 'live-migration', event: 'conductor_live_migrate_instance', at }
    const actionId = (await record(trx, ctx, [server], event)).get(id)!
    await actionRows.finish(trx, actionId, at, why)
    const flavor = migrationRows.numberOf(server.flavor.id)
    await migrationRows.insert(trx, {
      ...{ uuid: newId(), server_id: id, host: server.host!, dest_host: wanted.host, type: 'live-migration' },
      ...{ status: 'error', image_id: null, before: null, old_flavor_number: flavor, new_flavor_number: flavor },
      ...{ user_id: ctx.userId, project_id: projectOf(ctx), created_at: at, updated_at: at },
    })
  })
  if (!wanted.late) throw new CloudError('badRequest', why)
}
