import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../../platform/auth/context.ts'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as limitRows from '../db/limits.ts'
import * as projectRows from '../db/projects.ts'
import type { Deps } from '../logic/deps.ts'
import * as limits from '../logic/limits.ts'
import { badRequest } from '../logic/refusals.ts'
import { Amount, listed, pageOf, ResourceId, ResourceName, selfLink, Text } from './shapes.ts'

const NewLimit = Type.Object(
  {
    project_id: Type.Optional(ResourceId),
    domain_id: Type.Optional(ResourceId),
    service_id: ResourceId,
    region_id: Type.Optional(Type.String()),
    resource_name: ResourceName,
    resource_limit: Amount,
    description: Type.Optional(Text),
  },
  { additionalProperties: false },
)
const LimitChange = Type.Object(
  { resource_limit: Type.Optional(Amount), description: Type.Optional(Text) },
  { additionalProperties: false },
)

const view = (request: FastifyRequest) => (limit: limitRows.Limit) => ({
  id: limit.id,
  project_id: limit.projectId,
  domain_id: limit.domainId,
  service_id: limit.serviceId,
  region_id: limit.regionId,
  resource_name: limit.resourceName,
  resource_limit: limit.resourceLimit,
  description: limit.description,
  links: selfLink(request, `limits/${limit.id}`),
})

const filterable = {
  service_id: { column: 'r.service_id' },
  region_id: { column: 'r.region_id' },
  resource_name: { column: 'r.resource_name' },
  project_id: { column: 'project_id' },
  domain_id: { column: 'identity_limits.domain_id' },
} as const

/** Who may see which: the system all, a domain its own and its projects', a project its own. */
async function seen(db: Deps['database']['read'], ctx: Context, request: FastifyRequest) {
  if (ctx.system) return limitRows.list(db, pageOf(request, filterable))
  if (ctx.domainId) return limitRows.list(db, pageOf(request, filterable), { domainId: ctx.domainId })
  const own = { column: 'project_id', operator: 'equals', value: ctx.projectId } as const
  return ctx.projectId ? limitRows.list(db, pageOf(request, filterable, [own])) : []
}

/** Source: Identity API reference, "Unified Limits". */
export function limitRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const params = Type.Object({ id: Type.String() })

  app.get('/v3/limits/model', { config: { policy: 'identity:get_limit_model' } }, async () => ({
    model: limits.model,
  }))

  app.get('/v3/limits', { config: { policy: 'identity:list_limits' } }, async (request) =>
    listed(request, 'limits', await seen(db, request.ctx, request), view(request)),
  )

  app.post(
    '/v3/limits',
    {
      config: { policy: 'identity:create_limits' },
      schema: { body: Type.Object({ limits: Type.Array(NewLimit, { minItems: 1 }) }) },
    },
    async (request, reply) => {
      const wanted = request.body.limits.map((limit) => {
        if ((limit.project_id === undefined) === (limit.domain_id === undefined))
          throw badRequest('A limit names either project_id or domain_id.')
        return {
          id: newHexId(),
          projectId: limit.project_id ?? null,
          domainId: limit.domain_id ?? null,
          serviceId: limit.service_id,
          regionId: limit.region_id || null,
          resourceName: limit.resource_name,
          resourceLimit: limit.resource_limit,
          description: limit.description ?? null,
        }
      })
      const made = await limits.create(database, wanted)
      return reply.code(201).send({ limits: made.map(view(request)) })
    },
  )

  const showing = { policy: 'identity:get_limit', check: 'handler' } as const
  app.get('/v3/limits/:id', { config: showing, schema: { params } }, async (request) => {
    const limit = await limitRows.find(db, request.params.id)
    const project = limit?.projectId ? await projectRows.find(db, limit.projectId) : undefined
    request.enforce({
      'target.limit.domain.id': limit?.domainId ?? null,
      'target.limit.project.domain_id': project?.domainId ?? null,
      'target.limit.project_id': limit?.projectId ?? null,
    })
    return { limit: view(request)(await limits.get(db, request.params.id)) }
  })

  app.patch(
    '/v3/limits/:id',
    {
      config: { policy: 'identity:update_limit' },
      schema: { params, body: Type.Object({ limit: LimitChange }) },
    },
    async (request) => {
      const { resource_limit, description } = request.body.limit
      const limit = await limits.update(database, request.params.id, {
        ...(resource_limit === undefined ? {} : { resourceLimit: resource_limit }),
        ...(description === undefined ? {} : { description }),
      })
      return { limit: view(request)(limit) }
    },
  )

  app.delete(
    '/v3/limits/:id',
    { config: { policy: 'identity:delete_limit' }, schema: { params } },
    async (request, reply) => {
      await limits.remove(database, request.params.id)
      return reply.code(204).send()
    },
  )
}
