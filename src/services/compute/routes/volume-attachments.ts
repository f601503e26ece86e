import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError, NotFound } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { check } from '../../../platform/http/validation.ts'
import { checkLock, refuseState } from '../logic/checks.ts'
import type { Deps } from '../logic/deps.ts'
import { Boolish, Tag, Uuid, versioned } from './common.ts'
import { findServer } from './find-server.ts'

const strict = { additionalProperties: false }
const attached = versioned(['2.1', '2.49', '2.79'], (at) =>
  Type.Object(
    {
      volumeAttachment: Type.Object(
        {
          volumeId: Uuid,
          device: Type.Optional(
            Type.Union([Type.Null(), Type.String({ minLength: 1, maxLength: 255, pattern: '^/dev/[^/ ]+$' })]),
          ),
          ...(at('2.49') ? { tag: Type.Optional(Tag) } : {}),
          ...(at('2.79') ? { delete_on_termination: Type.Optional(Boolish) } : {}),
        },
        strict,
      ),
    },
    strict,
  ),
)

const states = new Set(['active', 'paused', 'stopped', 'resized', 'soft-delete', 'shelved', 'shelved_offloaded'])

/**
 * There is no block storage yet, so no server has a volume and no volume can be found: these answer as upstream does
 * for volumes that are not there. Source: Compute API reference, "Servers with volume attachments".
 */
export function volumeAttachmentRoutes(app: App, deps: Deps): void {
  const config = (rule: string) => ({
    policy: `os_compute_api:os-volumes-attachments:${rule}`,
    check: 'handler' as const,
  })
  const ofServer = { params: Type.Object({ id: Type.String() }) }
  const one = { params: Type.Object({ id: Type.String(), volumeId: Type.String() }) }

  app.get('/servers/:id/os-volume_attachments', { config: config('index'), schema: ofServer }, async (request) => {
    await findServer(deps, request, request.params.id)
    return { volumeAttachments: [] }
  })

  app.post('/servers/:id/os-volume_attachments', { config: config('create'), schema: ofServer }, async (request) => {
    const server = await findServer(deps, request, request.params.id)
    const body = check<{ volumeAttachment: { volumeId: string } }>(attached(request.microversion), request.body)
    checkLock(request.ctx, server)
    if (!states.has(server.vmState)) refuseState(server, 'attach_volume', 'vm_state', server.vmState)
    throw new NotFound('Volume', body.volumeAttachment.volumeId)
  })

  const absent = async (request: FastifyRequest) => {
    const { id, volumeId } = request.params as { id: string; volumeId: string }
    const server = await findServer(deps, request, id)
    throw new CloudError('notFound', `Instance ${server.id} is not attached to volume ${volumeId}`)
  }
  for (const [method, rule] of [
    ['GET', 'show'],
    ['PUT', 'update'],
    ['DELETE', 'delete'],
  ] as const) {
    const url = '/servers/:id/os-volume_attachments/:volumeId'
    app.route({ method, url, config: config(rule), schema: one, handler: absent })
  }
}
