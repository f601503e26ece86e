import { Type } from 'typebox'
import type { Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import * as catalogRows from '../db/catalog.ts'
import * as filterRows from '../db/endpoint-filters.ts'
import * as projectRows from '../db/projects.ts'
import type { Deps } from '../logic/deps.ts'
import { endpointsOfProject } from '../logic/endpoint-filters.ts'
import { conflict, must } from '../logic/refusals.ts'
import { endpointGroupView } from './endpoint-groups.ts'
import { endpointView } from './endpoints.ts'
import { projectView } from './project-views.ts'
import { listed } from './shapes.ts'

/** Which projects see which endpoints. Source: Identity API reference, "OS-EP-FILTER API". */
export function projectEndpointRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const one = Type.Object({ id: Type.String() })
  const prefix = '/v3/OS-EP-FILTER'
  const rule = (name: string) => ({ policy: `identity:${name}` })

  app.get(
    `${prefix}/projects/:id/endpoints`,
    { config: rule('list_endpoints_for_project'), schema: { params: one } },
    async (request) => {
      const { id } = request.params
      must(await projectRows.find(db, id), 'project', id)
      return listed(request, 'endpoints', await endpointsOfProject(db, id), endpointView(request))
    },
  )

  app.get(
    `${prefix}/endpoints/:id/projects`,
    { config: rule('list_projects_for_endpoint'), schema: { params: one } },
    async (request) => {
      const { id } = request.params
      must(await catalogRows.findEndpoint(db, id), 'endpoint', id)
      const projects = await projectRows.findAll(db, await filterRows.projectIdsWithEndpoint(db, id))
      return listed(request, 'projects', projects, projectView(request))
    },
  )

  const pair = `${prefix}/projects/:projectId/endpoints/:endpointId`
  const params = Type.Object({ projectId: Type.String(), endpointId: Type.String() })
  const notInProject = (projectId: string, endpointId: string) =>
    new CloudError('notFound', `Endpoint ${endpointId} not found in project ${projectId}`)

  app.put(pair, { config: rule('add_endpoint_to_project'), schema: { params } }, async (request, reply) => {
    const { projectId, endpointId } = request.params
    await database.write(async (trx) => {
      await mustBeThere(trx, projectId, endpointId)
      if (!(await filterRows.addEndpoint(trx, projectId, endpointId)))
        throw conflict('project_endpoint', `Endpoint ${endpointId} is already in project ${projectId}`)
    })
    return reply.code(204).send()
  })

  app.get(pair, { config: rule('check_endpoint_in_project'), schema: { params } }, async (request, reply) => {
    const { projectId, endpointId } = request.params
    await mustBeThere(db, projectId, endpointId)
    if (!(await filterRows.hasEndpoint(db, projectId, endpointId))) throw notInProject(projectId, endpointId)
    return reply.code(204).send()
  })

  app.delete(pair, { config: rule('remove_endpoint_from_project'), schema: { params } }, async (request, reply) => {
    const { projectId, endpointId } = request.params
    const removed = await database.write((trx) => filterRows.removeEndpoint(trx, projectId, endpointId))
    if (!removed) throw notInProject(projectId, endpointId)
    return reply.code(204).send()
  })

  projectGroupRoutes(app, database)
}

function projectGroupRoutes(app: App, database: Deps['database']): void {
  const db = database.read
  const params = Type.Object({ groupId: Type.String(), projectId: Type.String() })
  const pair = '/v3/OS-EP-FILTER/endpoint_groups/:groupId/projects/:projectId'
  const notInProject = () => new CloudError('notFound', 'Endpoint Group Project Association not found')

  app.get(
    '/v3/OS-EP-FILTER/projects/:id/endpoint_groups',
    {
      config: { policy: 'identity:list_endpoint_groups_for_project' },
      schema: { params: Type.Object({ id: Type.String() }) },
    },
    async (request) => {
      const { id } = request.params
      must(await projectRows.find(db, id), 'project', id)
      return listed(request, 'endpoint_groups', await filterRows.groupsOf(db, id), endpointGroupView(request))
    },
  )

  const exist = async (trx: Db, groupId: string, projectId: string) => {
    must(await projectRows.find(trx, projectId), 'project', projectId)
    must(await filterRows.findGroup(trx, groupId), 'endpoint group', groupId)
  }

  app.put(
    pair,
    { config: { policy: 'identity:add_endpoint_group_to_project' }, schema: { params } },
    async (request, reply) => {
      const { groupId, projectId } = request.params
      await database.write(async (trx) => {
        await exist(trx, groupId, projectId)
        if (!(await filterRows.addGroup(trx, projectId, groupId)))
          throw conflict('project_endpoint_group', `Endpoint group ${groupId} is already in project ${projectId}`)
      })
      return reply.code(204).send()
    },
  )

  app.get(
    pair,
    { config: { policy: 'identity:get_endpoint_group_in_project' }, schema: { params } },
    async (request) => {
      const { groupId, projectId } = request.params
      await exist(db, groupId, projectId)
      const found = (await filterRows.groupsOf(db, projectId)).some(({ id }) => id === groupId)
      if (!found) throw notInProject()
      const links = { self: `${baseUrl(request)}/v3/OS-EP-FILTER/endpoint_groups/${groupId}/projects/${projectId}` }
      return { project_endpoint_group: { endpoint_group_id: groupId, project_id: projectId, links } }
    },
  )

  app.delete(
    pair,
    { config: { policy: 'identity:remove_endpoint_group_from_project' }, schema: { params } },
    async (request, reply) => {
      const { groupId, projectId } = request.params
      await database.write(async (trx) => {
        await exist(trx, groupId, projectId)
        if (!(await filterRows.takeGroup(trx, projectId, groupId))) throw notInProject()
      })
      return reply.code(204).send()
    },
  )
}

async function mustBeThere(db: Db, projectId: string, endpointId: string): Promise<void> {
  must(await catalogRows.findEndpoint(db, endpointId), 'endpoint', endpointId)
  must(await projectRows.find(db, projectId), 'project', projectId)
}
