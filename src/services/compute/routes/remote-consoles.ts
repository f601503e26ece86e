import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { check } from '../../../platform/http/validation.ts'
import * as consoles from '../logic/consoles.ts'
import type { Deps } from '../logic/deps.ts'
import { type ActionHandler, type ActionHandlers, strict } from './action-handler.ts'
import { requireUntil, since, versioned } from './common.ts'
import { findServer } from './find-server.ts'

const policy = 'os_compute_api:os-remote-consoles'

const newConsole = versioned(['2.6', '2.8'], (at) =>
  Type.Object(
    {
      remote_console: Type.Object(
        {
          protocol: Type.Enum(['vnc', 'spice', 'rdp', 'serial', ...(at('2.8') ? ['mks'] : [])]),
          type: Type.Enum([
            ...['novnc', 'xvpvnc', 'rdp-html5', 'spice-html5', 'serial'],
            ...(at('2.8') ? ['webmks'] : []),
          ]),
        },
        strict,
      ),
    },
    strict,
  ),
)

/** Source: Compute API reference, "Server consoles", "Show console authentication token". */
export function remoteConsoleRoutes(app: App, deps: Deps): void {
  const params = Type.Object({ id: Type.String() })

  app.post(
    '/servers/:id/remote-consoles',
    { config: { policy, check: 'handler', since: '2.6', bodies: newConsole.schemas }, schema: { params } },
    async (request) => {
      const { remote_console: wanted } = check<{ remote_console: { protocol: string; type: string } }>(
        newConsole(request.microversion),
        request.body,
      )
      const server = await findServer(deps, request, request.params.id)
      const url = await consoles.create(deps, server, wanted.protocol, wanted.type)
      return { remote_console: { ...wanted, url } }
    },
  )

  const config = { policy: 'os_compute_api:os-console-auth-tokens' }
  app.get('/os-console-auth-tokens/:id', { config, schema: { params } }, async (request) => {
    const found = await consoles.find(deps, request.params.id)
    if (!found) throw new CloudError('notFound', 'Token not found')
    if (!since(request, '2.31') && found.type !== 'rdp-html5') {
      throw new CloudError('unauthorized', 'The requested console type details are not accessible')
    }
    const { server, host, port } = found
    return { console: { instance_uuid: server.id, host, port, internal_access_path: null } }
  })
}

const action = (protocol: string, types: string[]): ActionHandler => ({
  policy,
  schema: Type.Object({ type: Type.Enum(types) }, strict),
  async run(deps, request, _reply, server, { type }: { type: string }) {
    requireUntil(request, '2.5')
    return { console: { type, url: await consoles.create(deps, server, protocol, type) } }
  },
})

/** Until 2.5. */
export const consoleActions: ActionHandlers = {
  'os-getVNCConsole': action('vnc', ['novnc', 'xvpvnc']),
  'os-getSPICEConsole': action('spice', ['spice-html5']),
  'os-getRDPConsole': action('rdp', ['rdp-html5']),
  'os-getSerialConsole': action('serial', ['serial']),
}
