import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as limitRows from '../db/limits.ts'
import type { Deps } from '../logic/deps.ts'
import * as limits from '../logic/limits.ts'
import { Amount, listed, pageOf, ResourceId, ResourceName, selfLink, Text } from './shapes.ts'

const NewLimit = Type.Object(
  {
    service_id: ResourceId,
    region_id: Type.Optional(Text),
    resource_name: ResourceName,
    default_limit: Amount,
    description: Type.Optional(Text),
  },
  { additionalProperties: false },
)
const LimitChange = Type.Partial(NewLimit, { additionalProperties: false })

const view = (request: FastifyRequest) => (limit: limitRows.RegisteredLimit) => ({
  id: limit.id,
  service_id: limit.serviceId,
  region_id: limit.regionId,
  resource_name: limit.resourceName,
  default_limit: limit.defaultLimit,
  description: limit.description,
  links: selfLink(request, `registered_limits/${limit.id}`),
})

/** Source: Identity API reference, "Unified Limits". */
export function registeredLimitRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const params = Type.Object({ id: Type.String() })
  const url = '/v3/registered_limits'

  app.get(url, { config: { policy: 'identity:list_registered_limits' } }, async (request) => {
    const page = pageOf(request, {
      service_id: { column: 'service_id' },
      region_id: { column: 'region_id' },
      resource_name: { column: 'resource_name' },
    })
    return listed(request, 'registered_limits', await limitRows.listRegistered(db, page), view(request))
  })

  app.post(
    url,
    {
      config: { policy: 'identity:create_registered_limits' },
      schema: { body: Type.Object({ registered_limits: Type.Array(NewLimit, { minItems: 1 }) }) },
    },
    async (request, reply) => {
      const wanted = request.body.registered_limits.map((limit) => ({
        id: newHexId(),
        serviceId: limit.service_id,
        regionId: limit.region_id || null,
        resourceName: limit.resource_name,
        defaultLimit: limit.default_limit,
        description: limit.description ?? null,
      }))
      await limits.register(database, wanted)
      return reply.code(201).send({ registered_limits: wanted.map(view(request)) })
    },
  )

  app.get(
    `${url}/:id`,
    { config: { policy: 'identity:get_registered_limit' }, schema: { params } },
    async (request) => ({ registered_limit: view(request)(await limits.getRegistered(db, request.params.id)) }),
  )

  app.patch(
    `${url}/:id`,
    {
      config: { policy: 'identity:update_registered_limit' },
      schema: { params, body: Type.Object({ registered_limit: LimitChange }) },
    },
    async (request) => {
      const wanted = request.body.registered_limit
      const limit = await limits.updateRegistered(database, request.params.id, {
        ...(wanted.service_id === undefined ? {} : { serviceId: wanted.service_id }),
        ...(wanted.region_id === undefined ? {} : { regionId: wanted.region_id || null }),
        ...(wanted.resource_name === undefined ? {} : { resourceName: wanted.resource_name }),
        ...(wanted.default_limit === undefined ? {} : { defaultLimit: wanted.default_limit }),
        ...(wanted.description === undefined ? {} : { description: wanted.description }),
      })
      return { registered_limit: view(request)(limit) }
    },
  )

  app.delete(
    `${url}/:id`,
    { config: { policy: 'identity:delete_registered_limit' }, schema: { params } },
    async (request, reply) => {
      await limits.removeRegistered(database, request.params.id)
      return reply.code(204).send()
    },
  )
}
