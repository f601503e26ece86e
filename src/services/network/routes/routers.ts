import type { FastifyRequest } from 'fastify'
import { seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import * as allocationRows from '../db/allocations.ts'
import * as routerRows from '../db/routers.ts'
import { tagsOf } from '../db/tags.ts'
import type { Deps } from '../logic/deps.ts'
import { malformed } from '../logic/errors.ts'
import { routerNotFound } from '../logic/router-errors.ts'
import * as interfaces from '../logic/router-interfaces.ts'
import { type Route, routeList, router } from '../logic/router-resources.ts'
import * as routers from '../logic/routers.ts'
import { Reason } from '../logic/values.ts'
import { crud, type View } from './crud.ts'

/** Source: Network API reference, "Routers". */
export function routerRoutes(app: App, deps: Deps): void {
  const db = deps.database.read

  async function views(rows: readonly routerRows.RouterRow[]): Promise<View[]> {
    const gateways = rows.flatMap((row) => row.gateway_port_id ?? [])
    const held = Map.groupBy(await allocationRows.ofPorts(db, gateways), (row) => row.port_id)
    return rows.map((row) => viewOf(row, held.get(row.gateway_port_id ?? '') ?? []))
  }

  crud<routerRows.RouterRow, routers.NewRouter, routers.RouterChanges>(app, deps, {
    resource: router,
    path: '/v2.0/routers',
    list: routerRows.list,
    find: routerRows.find,
    notFound: routerNotFound,
    tagged: { table: 'network_routers' },
    views,
    create: (deps, request, items) => routers.create(deps, request.ctx, items),
    update: (deps, request, id, changes) => routers.update(deps, request.ctx, id, changes),
    remove: (deps, _request, id) => routers.remove(deps, id),
  })

  /** The router of an action, if the caller may do this with it. */
  async function allowed(request: FastifyRequest): Promise<routerRows.RouterRow> {
    const { id } = request.params as { id: string }
    const row = await routerRows.find(db, id)
    const target = { project_id: row?.project_id, tenant_id: row?.project_id }
    if (!row || !request.can(target, 'get_router')) throw routerNotFound(id)
    request.enforce(target)
    return row
  }
  const rule = (policy: string) => ({ config: { policy, check: 'handler' } as const })

  app.put('/v2.0/routers/:id/add_router_interface', rule('add_router_interface'), async (request) => {
    const { id } = await allowed(request)
    return await interfaces.add(deps, request.ctx, id, interfaces.acceptInterface(request.body, true))
  })

  app.put('/v2.0/routers/:id/remove_router_interface', rule('remove_router_interface'), async (request) => {
    const { id } = await allowed(request)
    return await interfaces.remove(deps, request.ctx, id, interfaces.acceptInterface(request.body, false))
  })

  app.put('/v2.0/routers/:id/add_extraroutes', rule('add_extraroutes'), async (request) => {
    const { id } = await allowed(request)
    const more = routesIn(request.body)
    const row = await routers.changeRoutes(deps, id, (old) => [...old, ...more.filter((one) => !has(old, one))])
    return { router: shown(request, (await views([row]))[0] ?? {}) }
  })

  app.put('/v2.0/routers/:id/remove_extraroutes', rule('remove_extraroutes'), async (request) => {
    const { id } = await allowed(request)
    const less = routesIn(request.body)
    const row = await routers.changeRoutes(deps, id, (old) => old.filter((one) => !has(less, one)))
    return { router: shown(request, (await views([row]))[0] ?? {}) }
  })

  /** Without what only administrators may see. */
  function shown(request: FastifyRequest, view: View): View {
    return Object.fromEntries(
      Object.entries(view).filter(([name]) => {
        const attributeRule = `get_router:${name}`
        return !deps.policy.has(attributeRule) || request.can(view, attributeRule)
      }),
    )
  }
}

const has = (routes: readonly Route[], one: Route): boolean =>
  routes.some((route) => route.destination === one.destination && route.nexthop === one.nexthop)

function routesIn(body: unknown): Route[] {
  const inner = (body as { router?: { routes?: unknown } } | null)?.router
  if (typeof inner !== 'object' || inner === null) throw malformed("Unable to find 'router' in request body")
  try {
    return routeList(inner.routes)
  } catch (error) {
    if (error instanceof Reason) throw malformed(`Invalid input for routes. Reason: ${error.message}.`)
    throw error
  }
}

function viewOf(row: routerRows.RouterRow, addresses: readonly allocationRows.AllocationRow[]): View {
  return {
    id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    admin_state_up: row.admin_state_up === 1,
    status: row.status,
    external_gateway_info:
      row.gateway_network_id === null
        ? null
        : {
            network_id: row.gateway_network_id,
            external_fixed_ips: addresses.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
            enable_snat: row.enable_snat === 1,
          },
    description: row.description,
    availability_zones: ['nova'],
    availability_zone_hints: JSON.parse(row.availability_zone_hints) as unknown,
    routes: JSON.parse(row.routes) as unknown,
    flavor_id: null,
    ha: false,
    distributed: false,
    tags: tagsOf(row),
    created_at: seconds(row.created_at),
    updated_at: seconds(row.updated_at),
    revision_number: row.revision_number,
    project_id: row.project_id,
  }
}
