import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import * as projectRows from '../db/projects.ts'
import type { Deps } from '../logic/deps.ts'
import * as projects from '../logic/projects.ts'
import { must, notFound } from '../logic/refusals.ts'
import { targetOf } from './scopes.ts'

/** Source: API special interest group, "Tags". */
export const Tag = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^,/]*$' })
export const Tags = Type.Array(Tag, { maxItems: 80, uniqueItems: true })

/** Source: Identity API reference, "Project tags". */
export function projectTagRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const params = Type.Object({ id: Type.String() })
  const tagParams = Type.Object({ id: Type.String(), tag: Tag })

  const permitted = async (request: FastifyRequest, id: string) => {
    const project = await projectRows.find(db, id)
    request.enforce(targetOf('project', project))
    return must(project, 'project', id)
  }
  const view = (request: FastifyRequest, tags: readonly string[]) => ({
    tags,
    links: { self: `${baseUrl(request)}${request.url}` },
  })
  const rule = (name: string) => ({ policy: `identity:${name}`, check: 'handler' }) as const
  const path = '/v3/projects/:id/tags'

  app.get(path, { config: rule('list_project_tags'), schema: { params } }, async (request) =>
    view(request, (await permitted(request, request.params.id)).tags),
  )
  app.put(
    path,
    { config: rule('update_project_tags'), schema: { params, body: Type.Object({ tags: Tags }) } },
    async (request) => {
      const { id } = await permitted(request, request.params.id)
      return view(request, (await projects.update(deps, 'project', id, { tags: request.body.tags })).tags)
    },
  )
  app.delete(path, { config: rule('delete_project_tags'), schema: { params } }, async (request, reply) => {
    const { id } = await permitted(request, request.params.id)
    await projects.update(deps, 'project', id, { tags: [] })
    return reply.code(204).send()
  })
  app.get(
    `${path}/:tag`,
    { config: rule('get_project_tag'), schema: { params: tagParams } },
    async (request, reply) => {
      const { tags } = await permitted(request, request.params.id)
      if (!tags.includes(request.params.tag)) throw notFound('project tag', request.params.tag)
      return reply.code(204).send()
    },
  )
  app.put(
    `${path}/:tag`,
    { config: rule('create_project_tag'), schema: { params: tagParams } },
    async (request, reply) => {
      const { id, tags } = await permitted(request, request.params.id)
      await projects.update(deps, 'project', id, { tags: [...new Set([...tags, request.params.tag])] })
      return reply
        .code(201)
        .header('location', `${baseUrl(request)}${request.url}`)
        .send()
    },
  )
  app.delete(
    `${path}/:tag`,
    { config: rule('delete_project_tag'), schema: { params: tagParams } },
    async (request, reply) => {
      const { id, tags } = await permitted(request, request.params.id)
      if (!tags.includes(request.params.tag)) throw notFound('project tag', request.params.tag)
      await projects.update(deps, 'project', id, { tags: tags.filter((tag) => tag !== request.params.tag) })
      return reply.code(204).send()
    },
  )
}
