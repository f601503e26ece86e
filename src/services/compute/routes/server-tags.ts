import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as tagRows from '../db/server-tags.ts'
import type { Deps } from '../logic/deps.ts'
import * as tags from '../logic/server-tags.ts'
import { rootUrl, Tag } from './common.ts'
import { findServer } from './find-server.ts'

/** Source: Compute API reference, "Server tags (servers, tags)". */
export function serverTagRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const config = (name: string) => ({
    policy: `os_compute_api:os-server-tags:${name}`,
    check: 'handler' as const,
    since: '2.26',
  })
  const one = { params: Type.Object({ id: Type.String() }) }
  const item = { params: Type.Object({ id: Type.String(), tag: Type.String() }) }
  const find = async (request: FastifyRequest<{ Params: { id: string } }>) =>
    (await findServer(deps, request as FastifyRequest, request.params.id)).id
  const tagsOf = async (id: string) => (await tagRows.list(read, [id])).get(id) ?? []

  app.get('/servers/:id/tags', { config: config('index'), schema: one }, async (request) => ({
    tags: await tagsOf(await find(request)),
  }))

  app.put(
    '/servers/:id/tags',
    {
      config: config('update_all'),
      schema: {
        ...one,
        body: Type.Object({ tags: Type.Array(Tag, { maxItems: tags.mostTags }) }, { additionalProperties: false }),
      },
    },
    async (request) => ({ tags: await tags.replace(deps, await find(request), request.body.tags) }),
  )

  app.delete('/servers/:id/tags', { config: config('delete_all'), schema: one }, async (request, reply) => {
    await tags.remove(deps, await find(request))
    return reply.code(204).send()
  })

  app.get('/servers/:id/tags/:tag', { config: config('show'), schema: item }, async (request, reply) => {
    const id = await find(request)
    const { tag } = request.params
    if (!(await tagsOf(id)).includes(tag)) throw tags.noTag(id, tag)
    return reply.code(204).send()
  })

  app.put('/servers/:id/tags/:tag', { config: config('update'), schema: item }, async (request, reply) => {
    const id = await find(request)
    const { tag } = request.params
    if (tag.length > 60 || /[,/]/.test(tag)) {
      const text = `Tag '${tag}' is invalid. It must be a string of at most 60 characters without characters '/' and ','.`
      throw new CloudError('badRequest', text)
    }
    if (!(await tags.add(deps, id, tag))) return reply.code(204).send()
    return reply
      .code(201)
      .header('location', `${rootUrl(request)}/servers/${id}/tags/${tag}`)
      .send()
  })

  app.delete('/servers/:id/tags/:tag', { config: config('delete'), schema: item }, async (request, reply) => {
    await tags.remove(deps, await find(request), request.params.tag)
    return reply.code(204).send()
  })
}
