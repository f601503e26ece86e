import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { checkState } from '../logic/checks.ts'
import * as hostRequests from '../logic/host-requests.ts'
import * as actions from '../logic/server-actions.ts'
import * as snapshots from '../logic/snapshots.ts'
import { type ActionHandlers, strict } from './action-handler.ts'
import { Count, Metadata, Name, since } from './common.ts'

/** Source: Compute API reference, "Servers - run an administrative action" and "Servers - run an action". */
export const adminActions: ActionHandlers = {
  'os-resetState': {
    policy: 'os_compute_api:os-admin-actions:reset_state',
    schema: Type.Object({ state: Type.Enum(['active', 'error']) }, strict),
    async run(deps, request, reply, server, { state }: { state: 'active' | 'error' }) {
      await actions.resetState(deps, request.ctx, server.id, state)
      return reply.code(202).send()
    },
  },

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

  changePassword: {
    policy: 'os_compute_api:os-admin-password',
    schema: Type.Object({ adminPass: Type.String() }, strict),
    async run(deps, _request, reply, server, { adminPass }: { adminPass: string }) {
      checkState(server, 'changePassword', ['active'])
      await hostRequests.setPassword(deps, server, adminPass)
      return reply.code(202).send()
    },
  },

  forceDelete: {
    policy: 'os_compute_api:os-deferred-delete:force',
    schema: Type.Unknown(),
    async run(deps, request, reply, server) {
      await actions.remove(deps, request.ctx, server.id)
      return reply.code(202).send()
    },
  },

  // A deletion here is at once and for good, so there is never one to be taken back.
  restore: {
    policy: 'os_compute_api:os-deferred-delete:restore',
    schema: Type.Unknown(),
    async run(_deps, _request, _reply, server) {
      checkState(server, 'restore', [])
    },
  },

  rescue: {
    policy: 'os_compute_api:os-rescue',
    schema: Type.Unknown(),
    async run(_deps, _request, _reply, server) {
      checkState(server, 'rescue', ['active', 'stopped', 'error'])
      const why = 'A container has no second boot disk; rebuild it, or make a server from its snapshot.'
      throw new CloudError('badRequest', `Instance ${server.id} cannot be rescued: ${why}`)
    },
  },
  unrescue: {
    policy: 'os_compute_api:os-unrescue',
    schema: Type.Unknown(),
    async run(_deps, _request, _reply, server) {
      checkState(server, 'unrescue', [])
    },
  },
}
