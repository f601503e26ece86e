import type { Context } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import * as serverRows from '../db/servers.ts'
import { record } from './actions.ts'
import { checkLock, checkState } from './checks.ts'
import type { Deps } from './deps.ts'
import { imageOf } from './images.ts'

/**
 * Records that another image shall run in a server's place, with the server's own files at /mnt: the one that is named,
 * or the server's own as it was at first.
 * @throws CloudError
 */
export async function rescue(deps: Deps, ctx: Context, id: string, imageId: string | null): Promise<void> {
  const { database, clock, nudge } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, 'rescue', ['active', 'stopped', 'error'])
    const image = imageId === null ? server.image : await rescueImage(deps, trx, ctx, imageId)
    const actions = await record(trx, ctx, [server], { action: 'rescue', event: 'compute_rescue_instance', at })
    await serverRows.update(trx, id, {
      ...{ rescue: image, wish: 'running', goal: 'rescued', taskState: 'rescuing', fault: null },
      ...{ generation: server.generation + 1, tries: 0, retryAtMs: null },
      ...{ actionId: actions.get(id) ?? null, updatedAt: at },
    })
  })
  faultPoint('compute.api.action.committed')
  nudge('compute.servers')
}

async function rescueImage(
  deps: Deps,
  trx: Parameters<Deps['image']['bootable']>[0],
  ctx: Context,
  imageId: string,
): Promise<serverRows.ServerImage> {
  const unsupported = (cause?: unknown) =>
    new CloudError('badRequest', `Requested rescue image '${imageId}' is not supported`, { cause })
  const image = await deps.image.bootable(trx, ctx, imageId).catch((error: unknown) => {
    if (error instanceof CloudError && error.kind === 'notFound') throw unsupported(error)
    throw error
  })
  if (image.status !== 'active' || image.reference === null || image.configDigest === null) throw unsupported()
  return imageOf(image)
}

/** Back to the server's own container, which was left as it was but for what the rescue changed. */
export async function unrescue(deps: Deps, ctx: Context, id: string): Promise<void> {
  const { database, clock, nudge } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, 'unrescue', ['rescued'])
    const actions = await record(trx, ctx, [server], { action: 'unrescue', event: 'compute_unrescue_instance', at })
    await serverRows.update(trx, id, {
      ...{ rescue: null, wish: 'running', goal: null, taskState: 'unrescuing', fault: null },
      ...{ generation: server.generation + 1, tries: 0, retryAtMs: null },
      ...{ actionId: actions.get(id) ?? null, updatedAt: at },
    })
  })
  faultPoint('compute.api.action.committed')
  nudge('compute.servers')
}
