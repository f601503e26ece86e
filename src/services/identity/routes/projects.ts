import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as projectRows from '../db/projects.ts'
import type { Deps } from '../logic/deps.ts'
import * as projects from '../logic/projects.ts'
import { badRequest, forbidden, must } from '../logic/refusals.ts'
import { Tags } from './project-tags.ts'
import { projectView } from './project-views.ts'
import { ownDomain, ownDomainOnly, targetOf } from './scopes.ts'
import {
  extraOf,
  Immutable,
  isTrue,
  listed,
  mergeOptions,
  Name,
  OptionalId,
  pageOf,
  queryOf,
  sameId,
  Text,
} from './shapes.ts'

const known = ['name', 'domain_id', 'parent_id', 'is_domain', 'description', 'enabled', 'tags', 'options']
const shape = {
  description: Type.Optional(Text),
  enabled: Type.Optional(Type.Boolean()),
  tags: Type.Optional(Tags),
  options: Type.Optional(Immutable),
  domain_id: Type.Optional(OptionalId),
  parent_id: Type.Optional(OptionalId),
  is_domain: Type.Optional(Type.Boolean()),
}
const NewProject = Type.Object({ ...shape, name: Name(64) })
const ProjectChange = Type.Object({ ...shape, name: Type.Optional(Name(64)) })

export const projectFilters = {
  name: { column: 'name' },
  enabled: { column: 'enabled', flag: true },
  domain_id: { column: 'domain_id' },
  parent_id: { column: 'parent_id' },
  is_domain: { column: 'is_domain', flag: true },
} as const

/** Source: Identity API reference, "Projects". */
export function projectRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const params = Type.Object({ id: Type.String() })

  const listing = { policy: 'identity:list_projects', check: 'handler' } as const
  app.get('/v3/projects', { config: listing }, async (request) => {
    request.enforce({ 'target.domain_id': request.ctx.domainId })
    const query = queryOf(request)
    const ordinary = { column: 'is_domain', operator: 'equals', value: 0 } as const
    const more = [...ownDomainOnly(request.ctx), ...('is_domain' in query ? [] : [ordinary])]
    const found = await projectRows.list(db, pageOf(request, projectFilters, more), tagFilters(request))
    return listed(request, 'projects', found, projectView(request))
  })

  app.post(
    '/v3/projects',
    {
      config: { policy: 'identity:create_project', check: 'handler' },
      schema: { body: Type.Object({ project: NewProject }) },
    },
    async (request, reply) => {
      const wanted = request.body.project
      const isDomain = wanted.is_domain ?? false
      const parent = wanted.parent_id ? await projectRows.find(db, wanted.parent_id) : undefined
      const implied = parent ? (parent.domainId ?? parent.id) : ownDomain(request.ctx)
      const domainId = isDomain ? (wanted.domain_id ?? null) : (wanted.domain_id ?? implied)
      request.enforce({ 'target.project.domain_id': domainId })
      const project = await projects.create(deps, {
        id: newHexId(),
        name: wanted.name,
        domainId,
        parentId: wanted.parent_id ?? domainId,
        isDomain,
        enabled: wanted.enabled ?? true,
        description: wanted.description ?? '',
        tags: wanted.tags ?? [],
        options: mergeOptions({}, wanted.options),
        extra: extraOf(wanted, known),
      })
      return reply.code(201).send({ project: projectView(request)(project) })
    },
  )

  const showing = { policy: 'identity:get_project', check: 'handler' } as const
  app.get('/v3/projects/:id', { config: showing, schema: { params } }, async (request) => {
    const { id } = request.params
    const project = await projectRows.find(db, id)
    request.enforce(targetOf('project', project))
    const found = must(project, 'project', id)
    return { project: { ...projectView(request)(found), ...(await family(request, found)) } }
  })

  /** `?parents_as_ids`, `?subtree_as_list` and the like. */
  const family = async (request: FastifyRequest, project: projects.Project): Promise<object> => {
    const query = queryOf(request)
    const asked = (name: string) => isTrue(query[name])
    for (const kin of ['parents', 'subtree'])
      if (asked(`${kin}_as_list`) && asked(`${kin}_as_ids`))
        throw badRequest(`Cannot use ${kin}_as_list and ${kin}_as_ids query params at the same time.`)
    const wrap = (each: projects.Project) => ({ project: projectView(request)(each) })
    const above = await projectRows.ancestors(db, project)
    return {
      ...(asked('parents_as_list') ? { parents: above.filter((each) => !each.isDomain).map(wrap) } : {}),
      ...(asked('parents_as_ids') ? { parents: projects.pathUp(above) } : {}),
      ...(asked('subtree_as_list') ? { subtree: (await projectRows.descendants(db, project.id)).map(wrap) } : {}),
      ...(asked('subtree_as_ids')
        ? { subtree: projects.treeBelow(project.id, await projectRows.descendants(db, project.id)) }
        : {}),
    }
  }

  app.patch(
    '/v3/projects/:id',
    {
      config: { policy: 'identity:update_project', check: 'handler' },
      schema: { params, body: Type.Object({ project: ProjectChange }) },
    },
    async (request) => {
      const { id } = request.params
      const { name, description, enabled, tags, options, domain_id, parent_id, is_domain, ...rest } =
        request.body.project
      const project = await projectRows.find(db, id)
      request.enforce(targetOf('project', project))
      const was = must(project, 'project', id)
      sameId(rest, id, 'Project')
      if (domain_id !== undefined && domain_id !== was.domainId) throw badRequest('Cannot change Domain ID')
      if (parent_id !== undefined && parent_id !== was.parentId)
        throw forbidden('Update of `parent_id` is not allowed.')
      if (is_domain !== undefined && is_domain !== was.isDomain)
        throw badRequest('Update of `is_domain` is not allowed.')
      const changed = await projects.update(deps, 'project', id, {
        ...(name === undefined ? {} : { name }),
        ...(description === undefined ? {} : { description: description ?? '' }),
        ...(enabled === undefined ? {} : { enabled }),
        ...(tags === undefined ? {} : { tags }),
        options: mergeOptions(was.options, options),
        extra: { ...was.extra, ...extraOf(rest, known) },
      })
      return { project: projectView(request)(changed) }
    },
  )

  app.delete(
    '/v3/projects/:id',
    { config: { policy: 'identity:delete_project', check: 'handler' }, schema: { params } },
    async (request, reply) => {
      const { id } = request.params
      request.enforce(targetOf('project', await projectRows.find(db, id)))
      await projects.remove(deps, 'project', id)
      return reply.code(204).send()
    },
  )
}

function tagFilters(request: FastifyRequest): projectRows.TagFilters | null {
  const query = queryOf(request)
  const tags = (name: string) => query[name]?.split(',').filter(Boolean) ?? []
  const found = { all: tags('tags'), any: tags('tags-any'), notAll: tags('not-tags'), notAny: tags('not-tags-any') }
  return Object.values(found).some((list) => list.length > 0) ? found : null
}
