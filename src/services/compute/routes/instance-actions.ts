import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl, withQuery } from '../../../platform/http/links.ts'
import * as actionRows from '../db/actions.ts'
import type { Deps } from '../logic/deps.ts'
import { paging, queryOf, since, timeOf, unpaged } from './common.ts'
import { findServer, targetOf } from './find-server.ts'
import { hostIdOf } from './server-view.ts'

/** Without zone, as these fields have always been. */
const naive = (iso: string | null): string | null => iso?.replace('Z', '') ?? null

/** Source: Compute API reference, "Servers actions (servers, os-instance-actions)". */
export function instanceActionRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const rule = (name: string) => `os_compute_api:os-instance-actions:${name}`
  const config = (name: string) => ({ policy: rule(name), check: 'handler' as const })

  /** From 2.21 also of servers that are gone. */
  const find = (request: FastifyRequest, id: string) =>
    findServer(deps, request, id, { evenDeleted: since(request, '2.21') })

  app.get(
    '/servers/:id/os-instance-actions',
    { config: config('list'), schema: { params: Type.Object({ id: Type.String() }) } },
    async (request) => {
      const server = await find(request, request.params.id)
      const query = queryOf(request)
      const paged = since(request, '2.58')
      const { limit, marker, linked } = paged ? paging(query) : unpaged
      const changesSince = paged ? timeOf(query, 'changes-since') : null
      const changesBefore = since(request, '2.66') ? timeOf(query, 'changes-before') : null
      if (changesSince && changesBefore && changesBefore < changesSince) {
        const text = 'The value of changes-since must be less than or equal to changes-before.'
        throw new CloudError('badRequest', text)
      }
      const after = marker === null ? null : await actionRows.findByRequest(read, server.id, marker)
      if (after === undefined) throw new CloudError('badRequest', `Marker ${marker} could not be found.`)
      const found = await actionRows.list(read, {
        ...{ serverId: server.id, limit: limit + 1, marker: after, changesSince, changesBefore },
      })
      const page = found.slice(0, limit)
      const more = found.length > limit && linked
      const next = withQuery(request, { marker: page.at(-1)?.request_id ?? null })
      return {
        instanceActions: page.map((action) => view(request, action)),
        ...(more ? { links: [{ rel: 'next', href: baseUrl(request) + next }] } : {}),
      }
    },
  )

  app.get(
    '/servers/:id/os-instance-actions/:requestId',
    { config: config('show'), schema: { params: Type.Object({ id: Type.String(), requestId: Type.String() }) } },
    async (request) => {
      const { id, requestId } = request.params
      const server = await find(request, id)
      const action = await actionRows.findByRequest(read, server.id, requestId)
      if (!action) throw new CloudError('notFound', `Action ${requestId} not found`)
      const all = request.can(targetOf(server), rule('events'))
      if (!all && !since(request, '2.51')) return { instanceAction: view(request, action) }
      const details = since(request, '2.84') && request.can(targetOf(server), rule('events:details'))
      const events = await actionRows.events(read, action.id)
      return {
        instanceAction: {
          ...view(request, action),
          events: events.map((event) => ({
            ...{ event: event.event, start_time: naive(event.started_at), finish_time: naive(event.finished_at) },
            result: event.result,
            ...(all ? { traceback: event.details } : {}),
            ...(all && since(request, '2.62') ? { host: event.host } : {}),
            ...(since(request, '2.62') ? { hostId: hostIdOf({ host: event.host, projectId: server.projectId }) } : {}),
            ...(details ? { details: event.details } : {}),
          })),
        },
      }
    },
  )
}

const view = (request: FastifyRequest, action: actionRows.Action) => ({
  ...{ action: action.action, instance_uuid: action.server_id, request_id: action.request_id },
  ...{ user_id: action.user_id, project_id: action.project_id, start_time: naive(action.started_at) },
  message: action.message,
  ...(since(request, '2.58') ? { updated_at: naive(action.updated_at) } : {}),
})
