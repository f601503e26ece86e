import { type Context, projectOf } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import * as guestRows from '../db/guest-data.ts'
import * as metadataRows from '../db/server-metadata.ts'
import * as serverRows from '../db/servers.ts'
import { record } from './actions.ts'
import { checkLock, checkState } from './checks.ts'
import type { Deps } from './deps.ts'
import { checkImage, imageOf } from './images.ts'
import { checkFiles } from './personality.ts'
import { limitsOf } from './quotas.ts'
import { keyOf } from './servers.ts'

export interface Rebuild {
  imageId: string
  /** What is left out stays as it was. */
  changes: Partial<
    Pick<
      serverRows.Server,
      'name' | 'hostname' | 'description' | 'diskConfig' | 'accessIpV4' | 'accessIpV6' | 'keyName' | 'userData'
    >
  >
  metadata: Readonly<Record<string, string>> | null
  /** Put into the new container; those of before are not. */
  files: readonly guestRows.GuestFile[]
}

/**
 * Records that a server shall have its container made anew, from another image or the same; its name, ports and id
 * stay. One that is stopped is stopped afterwards too.
 * @throws CloudError
 */
export async function rebuild(deps: Deps, ctx: Context, id: string, wanted: Rebuild): Promise<serverRows.Server> {
  const { database, clock, nudge } = deps.ground
  const server = await database.write(async (trx) => {
    const at = clock.now()
    const before = await serverRows.get(trx, id)
    checkLock(ctx, before)
    checkState(before, 'rebuild', ['active', 'stopped', 'error'])
    const image = await deps.image.bootable(trx, ctx, wanted.imageId).catch((error: unknown) => {
      if (!(error instanceof CloudError) || error.kind !== 'notFound') throw error
      throw new CloudError('badRequest', `Cannot find image ${wanted.imageId} for rebuild`, { cause: error })
    })
    checkImage(image, before.flavor)
    const { keyName } = wanted.changes
    const limits = await limitsOf(deps, trx, projectOf(ctx))
    checkFiles(limits, wanted.files)
    await guestRows.change(trx, id, {
      ...{ files: wanted.files, password: null },
      ...(keyName === undefined ? {} : { key: await keyOf(trx, ctx, keyName) }),
    })
    if (wanted.metadata) {
      const items = Object.keys(wanted.metadata).length
      const { metadata_items: most } = limits
      if (most >= 0 && items > most) {
        throw new CloudError('overQuota', `Maximum number of metadata items exceeds ${most}`)
      }
      await metadataRows.remove(trx, id)
      await metadataRows.put(trx, [id], wanted.metadata)
    }
    const actions = await record(trx, ctx, [before], { action: 'rebuild', event: 'compute_rebuild_instance', at })
    await serverRows.update(trx, id, {
      ...wanted.changes,
      ...{ imageId: image.id, image: imageOf(image), buildEpoch: before.buildEpoch + 1 },
      ...{
        wish: before.vmState === 'stopped' ? 'stopped' : 'running',
        goal: null,
        rescue: null,
        taskState: 'rebuilding',
      },
      ...{ generation: before.generation + 1, tries: 0, retryAtMs: null, progress: 0, fault: null },
      ...{ actionId: actions.get(id) ?? null, updatedAt: at },
    })
    return await serverRows.get(trx, id)
  })
  faultPoint('compute.api.action.committed')
  nudge('compute.servers')
  return server
}
