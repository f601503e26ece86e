import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as catalogRows from '../db/catalog.ts'
import type { Deps } from '../logic/deps.ts'
import { must } from '../logic/refusals.ts'
import { extraOf, listed, pageOf, sameId, selfLink, Text } from './shapes.ts'

const known = ['type', 'name', 'description', 'enabled']
const shape = {
  name: Type.Optional(Text),
  description: Type.Optional(Text),
  enabled: Type.Optional(Type.Boolean()),
}
const ServiceType = Type.String({ minLength: 1, maxLength: 255 })
const NewService = Type.Object({ ...shape, type: ServiceType })
const ServiceChange = Type.Object({ ...shape, type: Type.Optional(ServiceType) })

const serviceView = (request: FastifyRequest) => (service: catalogRows.CatalogService) => ({
  ...service.extra,
  id: service.id,
  type: service.type,
  enabled: service.enabled,
  ...(service.name === null ? {} : { name: service.name }),
  ...(service.description === null ? {} : { description: service.description }),
  links: selfLink(request, `services/${service.id}`),
})

/** Source: Identity API reference, "Service catalog and endpoints". */
export function serviceRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const params = Type.Object({ id: Type.String() })

  app.get('/v3/services', { config: { policy: 'identity:list_services' } }, async (request) => {
    const page = pageOf(request, { type: { column: 'type' }, name: { column: 'name' } })
    return listed(request, 'services', await catalogRows.listServices(db, page), serviceView(request))
  })

  app.post(
    '/v3/services',
    { config: { policy: 'identity:create_service' }, schema: { body: Type.Object({ service: NewService }) } },
    async (request, reply) => {
      const wanted = request.body.service
      const service = {
        id: newHexId(),
        type: wanted.type,
        name: wanted.name ?? null,
        description: wanted.description ?? null,
        enabled: wanted.enabled ?? true,
        extra: extraOf(wanted, known),
      }
      await database.write((trx) => catalogRows.insertService(trx, service))
      return reply.code(201).send({ service: serviceView(request)(service) })
    },
  )

  app.get('/v3/services/:id', { config: { policy: 'identity:get_service' }, schema: { params } }, async (request) => {
    const { id } = request.params
    return { service: serviceView(request)(must(await catalogRows.findService(db, id), 'service', id)) }
  })

  app.patch(
    '/v3/services/:id',
    {
      config: { policy: 'identity:update_service' },
      schema: { params, body: Type.Object({ service: ServiceChange }) },
    },
    async (request) => {
      const { id } = request.params
      const { type, name, description, enabled, ...rest } = request.body.service
      sameId(rest, id, 'Service')
      const service = await database.write(async (trx) => {
        const was = must(await catalogRows.findService(trx, id), 'service', id)
        const now = {
          ...was,
          ...(type === undefined ? {} : { type }),
          ...(name === undefined ? {} : { name }),
          ...(description === undefined ? {} : { description }),
          ...(enabled === undefined ? {} : { enabled }),
          extra: { ...was.extra, ...extraOf(rest, known) },
        }
        await catalogRows.updateService(trx, now)
        return now
      })
      return { service: serviceView(request)(service) }
    },
  )

  app.delete(
    '/v3/services/:id',
    { config: { policy: 'identity:delete_service' }, schema: { params } },
    async (request, reply) => {
      const { id } = request.params
      await database.write(async (trx) => {
        must(await catalogRows.findService(trx, id), 'service', id)
        await catalogRows.removeService(trx, id)
      })
      return reply.code(204).send()
    },
  )
}
