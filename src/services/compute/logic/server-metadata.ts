import type { Context } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as metadataRows from '../db/server-metadata.ts'
import * as serverRows from '../db/servers.ts'
import { checkLock } from './checks.ts'
import type { Deps } from './deps.ts'
import { limitsOf } from './quotas.ts'

/**
 * Adds or replaces items of a server's metadata, all of it when `whole`; gives what it has then. The environment of a
 * container is set when it is made, so a running server does not see the change.
 * @throws CloudError `conflict` when it is locked, `overQuota` when it would have too many
 */
export async function put(
  deps: Deps,
  ctx: Context,
  serverId: string,
  items: Readonly<Record<string, string>>,
  whole: boolean,
): Promise<Record<string, string>> {
  const { database, clock } = deps.ground
  return await database.write(async (trx) => {
    const server = await serverRows.get(trx, serverId)
    checkLock(ctx, server)
    if (whole) await metadataRows.remove(trx, serverId)
    await metadataRows.put(trx, [serverId], items)
    const now = await metadataRows.get(trx, serverId)
    const { metadata_items: most } = await limitsOf(deps, trx, server.projectId)
    if (most >= 0 && Object.keys(now).length > most) {
      throw new CloudError('overQuota', `Maximum number of metadata items exceeds ${most}`)
    }
    await serverRows.update(trx, serverId, { updatedAt: clock.now() })
    return now
  })
}

/** False when there is no such item. */
export async function remove(deps: Deps, ctx: Context, serverId: string, key: string): Promise<boolean> {
  const { database, clock } = deps.ground
  return await database.write(async (trx) => {
    checkLock(ctx, await serverRows.get(trx, serverId))
    if (!(await metadataRows.remove(trx, serverId, key))) return false
    await serverRows.update(trx, serverId, { updatedAt: clock.now() })
    return true
  })
}
