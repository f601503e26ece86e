import type { Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as tagRows from '../db/server-tags.ts'
import * as serverRows from '../db/servers.ts'
import type { Deps } from './deps.ts'

export const mostTags = 50

/** Adds one; false when the server has it already. @throws CloudError `conflict` by state, `badRequest` at the limit */
export async function add(deps: Deps, serverId: string, tag: string): Promise<boolean> {
  return await deps.ground.database.write(async (trx) => {
    await checkState(trx, serverId, 'update tag')
    const tags = await of(trx, serverId)
    if (tags.length >= mostTags) {
      throw new CloudError('badRequest', `The number of tags exceeded the per-server limit ${mostTags}`)
    }
    if (tags.includes(tag)) return false
    await tagRows.add(trx, [serverId], [tag])
    return true
  })
}

export async function replace(deps: Deps, serverId: string, tags: readonly string[]): Promise<string[]> {
  return await deps.ground.database.write(async (trx) => {
    await checkState(trx, serverId, 'update tags')
    await tagRows.remove(trx, serverId)
    await tagRows.add(trx, [serverId], tags)
    return await of(trx, serverId)
  })
}

/** Removes one tag, or all. @throws CloudError `notFound` */
export async function remove(deps: Deps, serverId: string, tag?: string): Promise<void> {
  await deps.ground.database.write(async (trx) => {
    await checkState(trx, serverId, tag === undefined ? 'delete tags' : 'delete tag')
    const removed = await tagRows.remove(trx, serverId, tag)
    if (!removed && tag !== undefined) throw noTag(serverId, tag)
  })
}

export const noTag = (serverId: string, tag: string): CloudError =>
  new CloudError('notFound', `Server ${serverId} has no tag '${tag}'`)

const of = async (trx: Trx, serverId: string): Promise<string[]> =>
  (await tagRows.list(trx, [serverId])).get(serverId) ?? []

async function checkState(trx: Trx, serverId: string, action: string): Promise<void> {
  const { vmState } = await serverRows.get(trx, serverId)
  if (['active', 'paused', 'stopped'].includes(vmState)) return
  throw new CloudError('conflict', `Cannot '${action}' instance ${serverId} while it is in vm_state ${vmState}`)
}
