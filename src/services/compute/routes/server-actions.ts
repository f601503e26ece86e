import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { check, compile, type Validate } from '../../../platform/http/validation.ts'
import type { Deps } from '../logic/deps.ts'
import * as hostRequests from '../logic/host-requests.ts'
import * as actions from '../logic/server-actions.ts'
import * as snapshots from '../logic/snapshots.ts'
import { type ActionHandlers, does, moves, strict } from './action-handler.ts'
import { adminActions } from './admin-actions.ts'
import { Metadata, Name, since } from './common.ts'
import { findServer, targetOf } from './find-server.ts'
import { floatingIpActions } from './floating-ip-actions.ts'
import { moveActions } from './move-actions.ts'
import { rebuildActions } from './rebuild-actions.ts'
import { consoleActions } from './remote-consoles.ts'

const GroupName = Type.Object({ name: Type.String({ minLength: 1, pattern: '\\S' }) })

/** Key of the body → what it does. Source: Compute API reference, "Servers - run an action (servers, action)". */
const handlers: ActionHandlers = {
  ...rebuildActions,
  ...adminActions,
  ...moveActions,
  ...floatingIpActions,
  ...consoleActions,
  'os-start': moves('servers:start', 'start'),
  'os-stop': moves('servers:stop', 'stop'),
  pause: moves('os-pause-server:pause', 'pause'),
  unpause: moves('os-pause-server:unpause', 'unpause'),
  suspend: moves('os-suspend-server:suspend', 'suspend'),
  resume: moves('os-suspend-server:resume', 'resume'),

  reboot: does<{ type: string }>(
    'servers:reboot',
    (deps, request, server, { type }) => {
      const name = type.toLowerCase() === 'hard' ? 'hardReboot' : 'softReboot'
      return actions.act(deps, request.ctx, server.id, name)
    },
    { schema: Type.Object({ type: Type.Enum(['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']) }, strict) },
  ),

  createImage: {
    policy: 'os_compute_api:servers:create_image',
    schema: Type.Object({ name: Name, metadata: Type.Optional(Metadata) }, strict),
    async run(deps, request, reply, server, wanted: { name: string; metadata?: Record<string, string> }) {
      const { name, metadata = {} } = wanted
      const imageId = await snapshots.create(deps, request.ctx, server.id, { name: name.trim(), metadata })
      reply.code(202)
      if (since(request, '2.45')) return { image_id: imageId }
      return reply.header('location', `${baseUrl(request)}/images/${imageId}`).send()
    },
  },

  'os-getConsoleOutput': does<{ length?: number | string | null }>(
    'os-console-output',
    async (deps, _request, server, { length }) => {
      const lines = length === undefined || length === null || Number(length) < 0 ? null : Number(length)
      return { output: await hostRequests.consoleOutput(deps, server, lines) }
    },
    {
      schema: Type.Object(
        {
          length: Type.Optional(
            Type.Union([Type.Integer({ minimum: -1 }), Type.String({ pattern: '^-?[0-9]+$' }), Type.Null()]),
          ),
        },
        strict,
      ),
      status: 200,
    },
  ),

  lock: does<{ locked_reason?: string } | null>(
    'os-lock-server:lock',
    async (deps, request, server, value) => {
      if (value?.locked_reason !== undefined && !since(request, '2.73')) {
        throw new CloudError('badRequest', 'A reason for a lock can be given from microversion 2.73 on.')
      }
      await actions.lock(deps, request.ctx, server.id, value?.locked_reason ?? null)
    },
    {
      schema: Type.Union([
        Type.Null(),
        Type.Object({ locked_reason: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) }, strict),
      ]),
    },
  ),
  unlock: does('os-lock-server:unlock', async (deps, request, server) => {
    if (server.lockedBy === 'admin') {
      request.enforce(targetOf(server), 'os_compute_api:os-lock-server:unlock:unlock_override')
    }
    await actions.unlock(deps, request.ctx, server.id)
  }),

  addSecurityGroup: does<{ name: string }>(
    'os-security-groups:add',
    (deps, request, server, { name }) => deps.network.computeGroups.join(request.ctx, server, name),
    { schema: GroupName },
  ),
  removeSecurityGroup: does<{ name: string }>(
    'os-security-groups:remove',
    (deps, request, server, { name }) => deps.network.computeGroups.leave(request.ctx, server, name),
    { schema: GroupName },
  ),
}

const validators = new Map<string, Validate>(
  Object.entries(handlers).map(([name, { schema }]) => [
    name,
    compile(Type.Object({ [name]: schema }, strict), 'body'),
  ]),
)

/** `POST /servers/{id}/action`: the body's one key says what to do. */
export function serverActionRoutes(app: App, deps: Deps): void {
  app.post(
    '/servers/:id/action',
    {
      // Each action has a rule of its own, asked below.
      config: { policy: 'os_compute_api:servers:show', check: 'handler' },
      schema: { params: Type.Object({ id: Type.String() }) },
    },
    async (request, reply) => {
      const body = request.body
      const keys = typeof body === 'object' && body !== null ? Object.keys(body) : []
      const [name] = keys
      if (name === undefined) throw new CloudError('badRequest', 'Malformed request body: it names no action.')
      if (keys.length > 1) throw new CloudError('badRequest', 'Multiple body keys specified: an action is one key.')
      const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined
      if (!handler) throw new CloudError('badRequest', `There is no such action: ${name}`)
      const server = await findServer(deps, request, request.params.id, { rule: handler.policy })
      const checked = check<Record<string, never>>(validators.get(name)!, body)
      return await handler.run(deps, request, reply, server, checked[name]!)
    },
  )
}
