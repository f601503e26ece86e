import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl, withQuery } from '../../../platform/http/links.ts'
import { check } from '../../../platform/http/validation.ts'
import { checkLock } from '../logic/checks.ts'
import type { Deps } from '../logic/deps.ts'
import * as servers from '../logic/servers.ts'
import * as softDelete from '../logic/soft-delete.ts'
import { canonicalIpV6, Description, Name, selfLinks, since, versioned } from './common.ts'
import { findServer } from './find-server.ts'
import { newServerBodies, parseNewServer } from './new-server.ts'
import { listServers } from './server-query.ts'
import { basicView, detailView, loadBeside } from './server-view.ts'

const rule = (name: string) => `os_compute_api:servers:${name}`

const strict = { additionalProperties: false }
const changedServer = versioned(['2.1', '2.19', '2.90'], (at) =>
  Type.Object(
    {
      server: Type.Object(
        {
          name: Type.Optional(Name),
          'OS-DCF:diskConfig': Type.Optional(Type.Enum(['AUTO', 'MANUAL'])),
          accessIPv4: Type.Optional(Type.String({ format: 'ipv4' })),
          accessIPv6: Type.Optional(Type.String({ format: 'ipv6' })),
          ...(at('2.19') ? { description: Type.Optional(Description) } : {}),
          ...(at('2.90')
            ? {
                hostname: Type.Optional(
                  Type.String({ minLength: 2, maxLength: 63, pattern: '^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$' }),
                ),
              }
            : {}),
        },
        strict,
      ),
    },
    strict,
  ),
)
interface ChangedServer {
  server: {
    name?: string
    'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL'
    accessIPv4?: string
    accessIPv6?: string
    description?: string | null
    hostname?: string
  }
}

/** Source: Compute API reference, "Servers (servers)". */
export function serverRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database

  for (const detail of [false, true]) {
    const name = detail ? 'detail' : 'index'
    app.get(detail ? '/servers/detail' : '/servers', { config: { policy: rule(name) } }, async (request) => {
      const { page, more } = await listServers(deps, request, rule(`${name}:get_all_tenants`))
      const next = withQuery(request, { marker: page.at(-1)?.id ?? null })
      const links = more ? { servers_links: [{ rel: 'next', href: baseUrl(request) + next }] } : {}
      if (!detail) return { servers: page.map((server) => basicView(request, server)), ...links }
      const beside = await loadBeside(deps, read, request, page)
      return { servers: page.map((server) => detailView(request, server, beside)), ...links }
    })
  }

  app.post('/servers', { config: { policy: rule('create'), bodies: newServerBodies } }, async (request, reply) => {
    const { wanted, returnReservationId, securityGroups, adminPass } = parseNewServer(request)
    const [first] = await servers.create(deps, request.ctx, wanted)
    reply.code(202)
    if (returnReservationId) return { reservation_id: first!.reservationId }
    const links = selfLinks(request, 'servers', first!.id)
    reply.header('location', links[0]!.href)
    return {
      server: {
        id: first!.id,
        links,
        'OS-DCF:diskConfig': first!.diskConfig,
        security_groups: securityGroups,
        adminPass,
      },
    }
  })

  const one = { params: Type.Object({ id: Type.String() }) }

  app.get('/servers/:id', { config: { policy: rule('show'), check: 'handler' }, schema: one }, async (request) => {
    const server = await findServer(deps, request, request.params.id)
    const beside = await loadBeside(deps, read, request, [server], 'one')
    return { server: detailView(request, server, beside, { serverGroups: true }) }
  })

  app.put(
    '/servers/:id',
    { config: { policy: rule('update'), check: 'handler', bodies: changedServer.schemas }, schema: one },
    async (request) => {
      const before = await findServer(deps, request, request.params.id)
      const { server: wanted } = check<ChangedServer>(changedServer(request.microversion), request.body)
      checkLock(request.ctx, before)
      const server = await servers.change(deps, before, {
        ...(wanted.name === undefined ? {} : { name: wanted.name.trim() }),
        ...(wanted.description === undefined ? {} : { description: wanted.description }),
        ...(wanted.hostname === undefined ? {} : { hostname: wanted.hostname }),
        ...(wanted.accessIPv4 === undefined ? {} : { accessIpV4: wanted.accessIPv4 }),
        ...(wanted.accessIPv6 === undefined ? {} : { accessIpV6: canonicalIpV6(wanted.accessIPv6) }),
        ...(wanted['OS-DCF:diskConfig'] === undefined ? {} : { diskConfig: wanted['OS-DCF:diskConfig'] }),
      })
      const beside = await loadBeside(deps, read, request, [server], 'one')
      // The answer has shown every attribute only from 2.75 on.
      const options = { serverGroups: true, allAttributes: since(request, '2.75') }
      return { server: detailView(request, server, beside, options) }
    },
  )

  app.delete(
    '/servers/:id',
    { config: { policy: rule('delete'), check: 'handler' }, schema: one },
    async (request, reply) => {
      const server = await findServer(deps, request, request.params.id)
      await softDelete.remove(deps, request.ctx, server.id)
      return reply.code(204).send()
    },
  )
}
