import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as filterRows from '../db/endpoint-filters.ts'
import * as projectRows from '../db/projects.ts'
import type { Deps } from '../logic/deps.ts'
import { endpointsOfGroup, unknownFilter } from '../logic/endpoint-filters.ts'
import { badRequest, must } from '../logic/refusals.ts'
import { endpointView } from './endpoints.ts'
import { projectView } from './project-views.ts'
import { listed, Name, pageOf, sameId, selfLink, Text } from './shapes.ts'

const Filters = Type.Record(Type.String(), Type.Unknown())
const NewGroup = Type.Object({ name: Name(255), description: Type.Optional(Text), filters: Filters })
const GroupChange = Type.Object(
  { name: Type.Optional(Name(255)), description: Type.Optional(Text), filters: Type.Optional(Filters) },
  { minProperties: 1 },
)

export const endpointGroupView = (request: FastifyRequest) => (group: filterRows.EndpointGroup) => ({
  ...group,
  links: selfLink(request, `OS-EP-FILTER/endpoint_groups/${group.id}`),
})

function checkFilters(filters: object): void {
  if (unknownFilter(filters) !== undefined)
    throw badRequest(
      'Expecting to find service_id or region_id or interface in endpoint_group. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.',
    )
}

/** Source: Identity API reference, "OS-EP-FILTER API". */
export function endpointGroupRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const params = Type.Object({ id: Type.String() })
  const url = '/v3/OS-EP-FILTER/endpoint_groups'
  const view = endpointGroupView

  app.get(url, { config: { policy: 'identity:list_endpoint_groups' } }, async (request) => {
    const page = pageOf(request, { name: { column: 'name' } })
    return listed(request, 'endpoint_groups', await filterRows.listGroups(db, page), view(request))
  })

  app.post(
    url,
    {
      config: { policy: 'identity:create_endpoint_group' },
      schema: { body: Type.Object({ endpoint_group: NewGroup }) },
    },
    async (request, reply) => {
      const { name, description, filters } = request.body.endpoint_group
      if (Object.keys(filters).length === 0) throw badRequest('filters field is required and cannot be empty')
      checkFilters(filters)
      const group = { id: newHexId(), name, description: description ?? null, filters }
      await database.write((trx) => filterRows.insertGroup(trx, group))
      return reply.code(201).send({ endpoint_group: view(request)(group) })
    },
  )

  app.get(`${url}/:id`, { config: { policy: 'identity:get_endpoint_group' }, schema: { params } }, async (request) => {
    const { id } = request.params
    return { endpoint_group: view(request)(must(await filterRows.findGroup(db, id), 'endpoint group', id)) }
  })

  app.patch(
    `${url}/:id`,
    {
      config: { policy: 'identity:update_endpoint_group' },
      schema: { params, body: Type.Object({ endpoint_group: GroupChange }) },
    },
    async (request) => {
      const { id } = request.params
      const { name, description, filters, ...rest } = request.body.endpoint_group
      sameId(rest, id, 'Endpoint Group')
      if (filters !== undefined) checkFilters(filters)
      const group = await database.write(async (trx) => {
        const was = must(await filterRows.findGroup(trx, id), 'endpoint group', id)
        const now = {
          id,
          name: name ?? was.name,
          description: description === undefined ? was.description : description,
          filters: filters ?? was.filters,
        }
        await filterRows.updateGroup(trx, now)
        return now
      })
      return { endpoint_group: view(request)(group) }
    },
  )

  app.delete(
    `${url}/:id`,
    { config: { policy: 'identity:delete_endpoint_group' }, schema: { params } },
    async (request, reply) => {
      const { id } = request.params
      await database.write(async (trx) => {
        must(await filterRows.findGroup(trx, id), 'endpoint group', id)
        await filterRows.removeGroup(trx, id)
      })
      return reply.code(204).send()
    },
  )

  app.get(
    `${url}/:id/endpoints`,
    { config: { policy: 'identity:list_endpoints_associated_with_endpoint_group' }, schema: { params } },
    async (request) => {
      const { id } = request.params
      const group = must(await filterRows.findGroup(db, id), 'endpoint group', id)
      return listed(request, 'endpoints', await endpointsOfGroup(db, group), endpointView(request))
    },
  )

  app.get(
    `${url}/:id/projects`,
    { config: { policy: 'identity:list_projects_associated_with_endpoint_group' }, schema: { params } },
    async (request) => {
      const { id } = request.params
      must(await filterRows.findGroup(db, id), 'endpoint group', id)
      const projects = await projectRows.findAll(db, await filterRows.projectIdsWithGroup(db, id))
      return listed(request, 'projects', projects, projectView(request))
    },
  )
}
