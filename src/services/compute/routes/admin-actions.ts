import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { dashed } from '../../../platform/ids.ts'
import { checkLock, checkState } from '../logic/checks.ts'
import * as hostRequests from '../logic/host-requests.ts'
import * as interfaces from '../logic/interfaces.ts'
import * as rescuing from '../logic/rescue.ts'
import * as actions from '../logic/server-actions.ts'
import * as snapshots from '../logic/snapshots.ts'
import * as softDelete from '../logic/soft-delete.ts'
import { type ActionHandlers, does, strict } from './action-handler.ts'
import { Count, IpAddress, Metadata, Name, since, Uuid } from './common.ts'
import { newPassword } from './new-server.ts'

interface Rescue {
  adminPass?: string
  rescue_image_ref?: string
}

/** Source: Compute API reference, "Servers - run an administrative action" and "Servers - run an action". */
export const adminActions: ActionHandlers = {
  'os-resetState': does<{ state: 'active' | 'error' }>(
    'os-admin-actions:reset_state',
    (deps, request, server, { state }) => actions.resetState(deps, request.ctx, server.id, state),
    { schema: Type.Object({ state: Type.Enum(['active', 'error']) }, strict) },
  ),

  // What a container knows of its networks it has from the Engine, each time it starts.
  injectNetworkInfo: does('os-admin-actions:inject_network_info', async (_deps, request, server) =>
    checkLock(request.ctx, server),
  ),
  resetNetwork: does('servers:show', async () => {
    throw new CloudError('gone', 'This resource is no longer available. No forwarding address is given.')
  }),

  trigger_crash_dump: does(
    'servers:trigger_crash_dump',
    (deps, request, server) => {
      if (!since(request, '2.17')) throw new CloudError('badRequest', 'There is no such action: trigger_crash_dump')
      return actions.refuseCrashDump(deps, request.ctx, server.id)
    },
    { schema: Type.Null() },
  ),

  createBackup: {
    policy: 'os_compute_api:os-create-backup',
    schema: Type.Object(
      {
        name: Name,
        backup_type: Type.String({ minLength: 0, maxLength: 255 }),
        rotation: Count(0),
        metadata: Type.Optional(Metadata),
      },
      strict,
    ),
    async run(
      deps,
      request,
      reply,
      server,
      wanted: { name: string; backup_type: string; rotation: number | string; metadata?: Record<string, string> },
    ) {
      const backup = { type: wanted.backup_type, rotation: Number(wanted.rotation) }
      const named = { name: wanted.name.trim(), metadata: wanted.metadata ?? {}, backup }
      const imageId = await snapshots.create(deps, request.ctx, server.id, named)
      reply.code(202)
      if (since(request, '2.45')) return { image_id: imageId }
      // Nothing is kept of a rotation of 0, so there is no place to name.
      return backup.rotation > 0
        ? reply.header('location', `${baseUrl(request)}/images/${imageId}`).send()
        : reply.send()
    },
  },

  changePassword: does<{ adminPass: string }>(
    'os-admin-password',
    async (deps, _request, server, { adminPass }) => {
      checkState(server, 'changePassword', ['active'])
      await hostRequests.setPassword(deps, server, adminPass)
    },
    { schema: Type.Object({ adminPass: Type.String() }, strict) },
  ),

  addFixedIp: does<{ networkId: string }>(
    'os-multinic:add',
    (deps, request, server, { networkId }) => interfaces.changeAddresses(deps, request.ctx, server.id, { networkId }),
    { schema: Type.Object({ networkId: Uuid }, strict), until: '2.43' },
  ),
  removeFixedIp: does<{ address: string }>(
    'os-multinic:remove',
    (deps, request, server, { address }) => interfaces.changeAddresses(deps, request.ctx, server.id, { address }),
    { schema: Type.Object({ address: IpAddress }, strict), until: '2.43' },
  ),

  rescue: does<Rescue | null>(
    'os-rescue',
    async (deps, request, server, wanted) => {
      const imageId = wanted?.rescue_image_ref ? dashed(wanted.rescue_image_ref) : null
      await rescuing.rescue(deps, request.ctx, server.id, imageId)
      return { adminPass: wanted?.adminPass ?? newPassword() }
    },
    {
      schema: Type.Union([
        Type.Null(),
        Type.Object({ adminPass: Type.Optional(Type.String()), rescue_image_ref: Type.Optional(Uuid) }, strict),
      ]),
      status: 200,
    },
  ),
  unrescue: does('os-unrescue', (deps, request, server) => rescuing.unrescue(deps, request.ctx, server.id)),

  forceDelete: does('os-deferred-delete:force', (deps, request, server) =>
    actions.remove(deps, request.ctx, server.id),
  ),
  restore: does('os-deferred-delete:restore', (deps, request, server) =>
    softDelete.restore(deps, request.ctx, server.id),
  ),
}
