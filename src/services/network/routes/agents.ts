import type { FastifyRequest } from 'fastify'
import { seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import * as agents from '../logic/agents.ts'
import type { Resource } from '../logic/attributes.ts'
import { acceptUpdate, textColumn } from '../logic/attributes.ts'
import { zone } from '../logic/availability-zones.ts'
import type { Deps } from '../logic/deps.ts'
import * as is from '../logic/values.ts'
import { fieldsOf, matching, pagingOf, selected } from './query.ts'

const plain = { column: textColumn('') }
const agent: Resource = {
  singular: 'agent',
  plural: 'agents',
  attributes: {
    ...{ id: plain, agent_type: plain, binary: plain, topic: plain, host: plain },
    admin_state_up: { put: true, parse: is.boolean },
    ...{ created_at: plain, started_at: plain, heartbeat_timestamp: plain, alive: plain },
    description: { put: true, parse: is.orNull(is.text(255)) },
    ...{ availability_zone: plain, configurations: {}, resource_versions: {}, resources_synced: {} },
  },
}

/** Source: Network API reference, "Agents", "Router/L3 agents", "Availability zones". */
export function agentRoutes(app: App, deps: Deps): void {
  const rule = (policy: string) => ({ config: { policy, check: 'handler' } as const })
  const params = (request: FastifyRequest) => request.params as { id: string; router: string }
  const viewOf = (one: agents.Agent) => ({ ...one, resource_versions: {}, resources_synced: null })
  /** An agent that the caller may not see does not exist for them. */
  const visible = async (request: FastifyRequest) => {
    const { id } = params(request)
    if (!request.can({}, 'get_agent')) throw agents.agentNotFound(id)
    return await agents.get(deps, id)
  }

  app.get('/v2.0/agents', rule('get_agent'), async (request) => {
    pagingOf(request, agent)
    const all = request.can({}, 'get_agent') ? (await agents.list(deps)).map(viewOf) : []
    return { agents: matching(request, agent, all).map((one) => selected(one, fieldsOf(request))) }
  })
  app.get('/v2.0/agents/:id', rule('get_agent'), async (request) => ({
    agent: selected(viewOf(await visible(request)), fieldsOf(request)),
  }))
  app.put('/v2.0/agents/:id', rule('update_agent'), async (request) => {
    const { id } = await visible(request)
    request.enforce({})
    const { values } = acceptUpdate<{ admin_state_up?: boolean; description?: string | null }>(agent, request.body)
    const { description, ...rest } = values
    const changes = { ...rest, ...(description !== undefined && { description: description ?? '' }) }
    return { agent: viewOf(await agents.update(deps, id, changes)) }
  })
  app.delete('/v2.0/agents/:id', rule('delete_agent'), async (request, reply) => {
    const { id } = await visible(request)
    request.enforce({})
    await agents.remove(deps, id)
    return reply.code(204).send()
  })

  app.get('/v2.0/agents/:id/l3-routers', { config: { policy: 'get_l3-routers' } }, async (request) => ({
    routers: (await agents.routersOn(deps, params(request).id)).map((row) => ({
      ...{ id: row.id, name: row.name, tenant_id: row.project_id, project_id: row.project_id, status: row.status },
      ...{ admin_state_up: row.admin_state_up === 1, description: row.description },
      ...{ created_at: seconds(row.created_at), updated_at: seconds(row.updated_at) },
    })),
  }))
  app.post('/v2.0/agents/:id/l3-routers', { config: { policy: 'create_l3-router' } }, async (request, reply) => {
    await agents.schedule(deps, params(request).id, (request.body as { router_id?: unknown } | null)?.router_id)
    return reply.code(201).type('application/json').send('null')
  })
  app.delete(
    '/v2.0/agents/:id/l3-routers/:router',
    { config: { policy: 'delete_l3-router' } },
    async (request, reply) => {
      const { id, router } = params(request)
      await agents.unschedule(deps, id, router)
      return reply.code(204).send()
    },
  )
  app.get('/v2.0/routers/:id/l3-agents', { config: { policy: 'get_l3-agents' } }, async (request) => ({
    agents: (await agents.agentsOf(deps, params(request).id)).map(viewOf),
  }))

  const zones = {
    singular: 'availability_zone',
    plural: 'availability_zones',
    attributes: { name: plain, resource: plain, state: plain },
  }
  app.get('/v2.0/availability_zones', { config: { policy: 'get_availability_zone' } }, async (request) => {
    const up = (await agents.list(deps)).some((one) => one.alive && one.admin_state_up)
    const state = up ? 'available' : 'unavailable'
    const all = ['network', 'router'].map((resource) => ({ name: zone, resource, state }))
    return { availability_zones: matching(request, zones, all).map((one) => selected(one, fieldsOf(request))) }
  })

  const provider = { service_type: 'L3_ROUTER_NAT', name: 'single_node', default: true }
  const providers = {
    singular: 'service_provider',
    plural: 'service_providers',
    attributes: { service_type: plain, name: plain, default: plain },
  }
  app.get('/v2.0/service-providers', { config: { policy: 'get_service_provider' } }, async (request) => ({
    service_providers: matching(request, providers, [provider]).map((one) => selected(one, fieldsOf(request))),
  }))
}
