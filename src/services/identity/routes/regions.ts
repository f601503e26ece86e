import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Db, Trx } from '../../../platform/db/database.ts'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as catalogRows from '../db/catalog.ts'
import type { Deps } from '../logic/deps.ts'
import { badRequest, conflict, forbidden, must, notFound } from '../logic/refusals.ts'
import { extraOf, listed, pageOf, sameId, selfLink, Text } from './shapes.ts'

const known = ['description', 'parent_region_id']
const shape = {
  description: Type.Optional(Text),
  parent_region_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
}
const NewRegion = Type.Object({
  ...shape,
  id: Type.Optional(Type.Union([Type.String({ maxLength: 255 }), Type.Null()])),
})
const RegionChange = Type.Object(shape)

const regionView = (request: FastifyRequest) => (region: catalogRows.Region) => ({
  ...region.extra,
  id: region.id,
  description: region.description,
  parent_region_id: region.parentRegionId,
  links: selfLink(request, `regions/${encodeURIComponent(region.id)}`),
})

/** Source: Identity API reference, "Regions". */
export function regionRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const params = Type.Object({ id: Type.String() })

  app.get('/v3/regions', { config: { policy: 'identity:list_regions' } }, async (request) => {
    const page = pageOf(request, { parent_region_id: { column: 'parent_region_id' } })
    return listed(request, 'regions', await catalogRows.listRegions(db, page), regionView(request))
  })

  const create = async (id: string, wanted: { description?: string | null; parent_region_id?: string | null }) => {
    const region = {
      id,
      description: wanted.description ?? '',
      parentRegionId: wanted.parent_region_id ?? null,
      extra: extraOf(wanted, known),
    }
    await database.write(async (trx) => {
      await checkParent(trx, region)
      if (!(await catalogRows.insertRegion(trx, region))) throw conflict('region', `Duplicate ID, ${id}`)
    })
    return region
  }

  app.post(
    '/v3/regions',
    { config: { policy: 'identity:create_region' }, schema: { body: Type.Object({ region: NewRegion }) } },
    async (request, reply) => {
      const region = await create(request.body.region.id || newHexId(), request.body.region)
      return reply.code(201).send({ region: regionView(request)(region) })
    },
  )

  app.put(
    '/v3/regions/:id',
    {
      config: { policy: 'identity:create_region' },
      schema: { params, body: Type.Object({ region: NewRegion }) },
    },
    async (request, reply) => {
      const { id } = request.params
      const wanted = request.body.region
      if (wanted.id && wanted.id !== id)
        throw badRequest('Conflicting region IDs specified: the one in the URL and the one in the body differ.')
      return reply.code(201).send({ region: regionView(request)(await create(id, wanted)) })
    },
  )

  app.get('/v3/regions/:id', { config: { policy: 'identity:get_region' }, schema: { params } }, async (request) => {
    const { id } = request.params
    return { region: regionView(request)(must(await catalogRows.findRegion(db, id), 'region', id)) }
  })

  app.patch(
    '/v3/regions/:id',
    { config: { policy: 'identity:update_region' }, schema: { params, body: Type.Object({ region: RegionChange }) } },
    async (request) => {
      const { id } = request.params
      const { description, parent_region_id, ...rest } = request.body.region
      sameId(rest, id, 'Region')
      const region = await database.write(async (trx) => {
        const was = must(await catalogRows.findRegion(trx, id), 'region', id)
        const now = {
          ...was,
          ...(description === undefined ? {} : { description: description ?? '' }),
          ...(parent_region_id === undefined ? {} : { parentRegionId: parent_region_id }),
          extra: { ...was.extra, ...extraOf(rest, known) },
        }
        await checkParent(trx, now)
        await catalogRows.updateRegion(trx, now)
        return now
      })
      return { region: regionView(request)(region) }
    },
  )

  app.delete(
    '/v3/regions/:id',
    { config: { policy: 'identity:delete_region' }, schema: { params } },
    async (request, reply) => {
      await database.write((trx) => remove(trx, request.params.id))
      return reply.code(204).send()
    },
  )
}

async function checkParent(db: Db, region: catalogRows.Region): Promise<void> {
  for (let id = region.parentRegionId; id !== null; ) {
    if (id === region.id)
      throw badRequest(`The specified parent region ${region.parentRegionId} would create a circular region hierarchy.`)
    const parent = await catalogRows.findRegion(db, id)
    if (!parent) throw notFound('region', id)
    id = parent.parentRegionId
  }
}

async function remove(trx: Trx, id: string): Promise<void> {
  must(await catalogRows.findRegion(trx, id), 'region', id)
  const using = (column: string) => ({
    filters: [{ column, operator: 'equals' as const, value: id }],
    marker: null,
    limit: 1,
  })
  const [child] = await catalogRows.listRegions(trx, using('parent_region_id'))
  const [endpoint] = await catalogRows.listEndpoints(trx, using('region_id'))
  if (child || endpoint)
    throw forbidden(`Unable to delete region ${id} because it or its child regions have associated endpoints.`)
  await catalogRows.removeRegion(trx, id)
}
