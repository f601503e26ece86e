import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Trx } from '../../../platform/db/database.ts'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as catalogRows from '../db/catalog.ts'
import { urlFault } from '../logic/catalog.ts'
import type { Deps } from '../logic/deps.ts'
import { badRequest, must } from '../logic/refusals.ts'
import { extraOf, listed, OptionalId, pageOf, sameId, selfLink } from './shapes.ts'

const known = ['service_id', 'region_id', 'region', 'interface', 'url', 'enabled']
const RegionId = Type.Union([Type.String({ maxLength: 255 }), Type.Null()])
const shape = {
  region_id: Type.Optional(RegionId),
  /** The older name of `region_id`; makes the region when it does not exist. */
  region: Type.Optional(RegionId),
  enabled: Type.Optional(Type.Boolean()),
}
const Interface = Type.Union([Type.Literal('public'), Type.Literal('internal'), Type.Literal('admin')])
const Url = Type.String({ minLength: 1, maxLength: 225, pattern: '^[A-Za-z0-9+.-]+://.+' })
const NewEndpoint = Type.Object({ ...shape, service_id: Type.String(), interface: Interface, url: Url })
const EndpointChange = Type.Object({
  ...shape,
  service_id: Type.Optional(OptionalId),
  interface: Type.Optional(Interface),
  url: Type.Optional(Url),
})

export const endpointView = (request: FastifyRequest) => (endpoint: catalogRows.Endpoint) => ({
  ...endpoint.extra,
  id: endpoint.id,
  service_id: endpoint.serviceId,
  region: endpoint.regionId,
  region_id: endpoint.regionId,
  interface: endpoint.interface,
  url: endpoint.url,
  enabled: endpoint.enabled,
  links: selfLink(request, `endpoints/${endpoint.id}`),
})

const filterable = {
  interface: { column: 'interface' },
  service_id: { column: 'service_id' },
  region_id: { column: 'region_id' },
  region: { column: 'region_id' },
  enabled: { column: 'enabled', flag: true },
} as const

/** Source: Identity API reference, "Service catalog and endpoints". */
export function endpointRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const params = Type.Object({ id: Type.String() })

  app.get('/v3/endpoints', { config: { policy: 'identity:list_endpoints' } }, async (request) => {
    const found = await catalogRows.listEndpoints(db, pageOf(request, filterable))
    return listed(request, 'endpoints', found, endpointView(request))
  })

  app.post(
    '/v3/endpoints',
    { config: { policy: 'identity:create_endpoint' }, schema: { body: Type.Object({ endpoint: NewEndpoint }) } },
    async (request, reply) => {
      const wanted = request.body.endpoint
      const endpoint = {
        id: newHexId(),
        serviceId: wanted.service_id,
        regionId: wanted.region_id ?? wanted.region ?? null,
        interface: wanted.interface,
        url: wanted.url,
        enabled: wanted.enabled ?? true,
        extra: extraOf(wanted, known),
      }
      await database.write(async (trx) => {
        if (wanted.region && !wanted.region_id) await ensureRegion(trx, wanted.region)
        await checkReferences(trx, endpoint)
        await catalogRows.insertEndpoint(trx, endpoint)
      })
      return reply.code(201).send({ endpoint: endpointView(request)(endpoint) })
    },
  )

  const rule = (name: string) => ({ policy: `identity:${name}_endpoint`, check: 'handler' }) as const
  /** The endpoint of the path. That there is none is no secret: as upstream, it is said before who may. */
  const permitted = async (request: FastifyRequest, id: string) => {
    const endpoint = must(await catalogRows.findEndpoint(db, id), 'endpoint', id)
    request.enforce({})
    return endpoint
  }

  app.get('/v3/endpoints/:id', { config: rule('get'), schema: { params } }, async (request) => ({
    endpoint: endpointView(request)(await permitted(request, request.params.id)),
  }))

  app.patch(
    '/v3/endpoints/:id',
    {
      config: rule('update'),
      schema: { params, body: Type.Object({ endpoint: EndpointChange }) },
    },
    async (request) => {
      const { id } = await permitted(request, request.params.id)
      const { region_id, region, enabled, service_id, interface: name, url, ...rest } = request.body.endpoint
      sameId(rest, id, 'Endpoint')
      const regionId = region_id === undefined ? region : region_id
      const endpoint = await database.write(async (trx) => {
        const was = must(await catalogRows.findEndpoint(trx, id), 'endpoint', id)
        const now = {
          ...was,
          ...(service_id == null ? {} : { serviceId: service_id }),
          ...(regionId === undefined ? {} : { regionId }),
          ...(name === undefined ? {} : { interface: name }),
          ...(url === undefined ? {} : { url }),
          ...(enabled === undefined ? {} : { enabled }),
          extra: { ...was.extra, ...extraOf(rest, known) },
        }
        if (region && region_id === undefined) await ensureRegion(trx, region)
        await checkReferences(trx, now)
        await catalogRows.updateEndpoint(trx, now)
        return now
      })
      return { endpoint: endpointView(request)(endpoint) }
    },
  )

  app.delete('/v3/endpoints/:id', { config: rule('delete'), schema: { params } }, async (request, reply) => {
    const { id } = await permitted(request, request.params.id)
    await database.write(async (trx) => {
      must(await catalogRows.findEndpoint(trx, id), 'endpoint', id)
      await catalogRows.removeEndpoint(trx, id)
    })
    return reply.code(204).send()
  })
}

async function ensureRegion(trx: Trx, id: string): Promise<void> {
  await catalogRows.insertRegion(trx, { id, description: '', parentRegionId: null, extra: {} })
}

async function checkReferences(trx: Trx, endpoint: catalogRows.Endpoint): Promise<void> {
  if (!(await catalogRows.findService(trx, endpoint.serviceId)))
    throw badRequest(`Could not find service: ${endpoint.serviceId}.`)
  if (endpoint.regionId !== null && !(await catalogRows.findRegion(trx, endpoint.regionId)))
    throw badRequest(`Could not find region: ${endpoint.regionId}.`)
  const fault = urlFault(endpoint.url)
  if (fault) throw badRequest(`Cannot create an endpoint with an invalid URL: ${endpoint.url}: ${fault}.`)
}
