import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { check } from '../../../platform/http/validation.ts'
import { dashed } from '../../../platform/ids.ts'
import * as serverRows from '../db/servers.ts'
import type { Deps } from '../logic/deps.ts'
import { Uuid, versioned } from './common.ts'

const strict = { additionalProperties: false }
const events = versioned(['2.1', '2.51', '2.76', '2.82', '2.93'], (at) => {
  const names = [
    ...['network-changed', 'network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted'],
    ...(at('2.51') ? ['volume-extended'] : []),
    ...(at('2.76') ? ['power-update'] : []),
    ...(at('2.82') ? ['accelerator-request-bound'] : []),
    ...(at('2.93') ? ['volume-reimaged'] : []),
  ]
  const event = Type.Object(
    {
      server_uuid: Uuid,
      name: Type.Enum(names),
      status: Type.Optional(Type.Enum(['failed', 'completed', 'in-progress'])),
      tag: Type.Optional(Type.String({ maxLength: 255 })),
    },
    strict,
  )
  return Type.Object({ events: Type.Array(event, { minItems: 1 }) }, strict)
})

interface Event {
  server_uuid: string
  name: string
  status?: string
  tag?: string
}

const tagged = new Set(['volume-extended', 'power-update', 'accelerator-request-bound'])

/**
 * What other services tell Compute. Nothing of theirs is copied here, so the news needs no more than a look at the
 * server; that is what the nudge is for. Source: Compute API reference, "Create external events (os-server-external-events)".
 */
export function externalEventRoutes(app: App, deps: Deps): void {
  const config = { policy: 'os_compute_api:os-server-external-events:create', bodies: events.schemas }
  app.post('/os-server-external-events', { config }, async (request, reply) => {
    const { events: told } = check<{ events: Event[] }>(events(request.microversion), request.body)
    const ids = [...new Set(told.map(({ server_uuid }) => dashed(server_uuid)))]
    const servers = await serverRows.listByIds(deps.ground.database.read, ids)
    const known = new Map(servers.filter(({ deleted }) => !deleted).map((server) => [server.id, server]))
    const codes = told.map((event) => codeOf(event, known.get(dashed(event.server_uuid))))
    if (codes.includes(200)) deps.ground.nudge('compute.servers')
    return reply.code(codes.every((code) => code === 200) ? 200 : 207).send({
      events: told.map((event, i) => ({
        ...event,
        status: codes[i] === 200 ? (event.status ?? 'completed') : 'failed',
        code: codes[i],
      })),
    })
  })
}

function codeOf(event: Event, server: serverRows.Server | undefined): number {
  if (!server) return 404
  if (tagged.has(event.name) && event.tag === undefined) return 400
  return server.host === null ? 422 : 200
}
