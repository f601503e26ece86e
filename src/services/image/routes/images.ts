import { Type } from 'typebox'
import { seconds } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { check, compile } from '../../../platform/http/validation.ts'
import * as images from '../logic/images.ts'
import { importMethods } from '../logic/imports.ts'
import { parsePatch, patchTypes } from '../logic/patch.ts'
import { imageBody, schemas } from '../logic/schema.ts'
import { areMany, storesOf } from '../logic/stores.ts'
import { allowFor, only } from './shared.ts'

type ById = { Params: { id: string } }

const Body = Type.Unsafe<Record<string, unknown>>(imageBody)
const checkPart = compile(imageBody, 'body')

/** Source: Image API v2 reference, "Images". */
export function imageRoutes(app: App, deps: images.Deps): void {
  const route = (policy: string) => ({ exposeHeadRoute: false, config: { policy, check: 'handler' as const } })
  const isChoice = areMany(deps)
  const importing = isChoice ? { 'openstack-image-store-ids': deps.blobs.stores.map(({ id }) => id).join(',') } : {}
  const view = (image: images.Image) => ({
    ...viewOf(image),
    ...(isChoice && image.status === 'active' ? { stores: storesOf(deps, image).join(',') } : {}),
  })

  app.post('/v2/images', { ...route('add_image'), schema: { body: Body } }, async (request, reply) => {
    const image = await images.create(deps, request.ctx, request.body, allowFor(request))
    return reply
      .code(201)
      .header('location', `/v2/images/${image.id}`)
      .header('openstack-image-import-methods', importMethods(deps).join(','))
      .headers(importing)
      .send(view(image))
  })

  app.get('/v2/images', route('get_images'), async (request) => {
    request.enforce({ project_id: request.ctx.projectId })
    const search = new URL(request.url, 'http://x').searchParams
    const { images: page, next } = await images.list(deps, request.ctx, search)
    search.delete('marker')
    const first = search.size > 0 ? `/v2/images?${search}` : '/v2/images'
    if (next !== undefined) search.set('marker', next)
    return {
      images: page.map(view),
      first,
      ...(next === undefined ? {} : { next: `/v2/images?${search}` }),
      schema: '/v2/schemas/images',
    }
  })
  only(app, '/v2/images', ['GET', 'POST'])

  app.get<ById>('/v2/images/:id', route('get_image'), async (request) => {
    const image = await images.get(deps.database.read, request.ctx, request.params.id)
    allowFor(request)('get_image', image)
    return view(image)
  })

  app.patch<ById>('/v2/images/:id', route('modify_image'), async (request, reply) => {
    const draft = patchTypes[request.headers['content-type']?.split(';')[0]?.trim() ?? '']
    if (!draft) {
      const types = Object.keys(patchTypes).join(', ')
      reply.header('accept-patch', types)
      throw new CloudError('unsupportedMedia', `Image PATCH expects Content-Type one of: ${types}`)
    }
    const changes = parsePatch(request.body, draft, (part) => check(checkPart, part))
    return view(await images.update(deps, request.ctx, request.params.id, changes, allowFor(request)))
  })

  app.delete<ById>('/v2/images/:id', route('delete_image'), async (request, reply) => {
    await images.remove(deps, request.ctx, request.params.id, allowFor(request))
    return reply.code(204).send()
  })
  only(app, '/v2/images/:id', ['GET', 'PATCH', 'DELETE'])

  for (const [action, to] of [
    ['deactivate', 'deactivated'],
    ['reactivate', 'active'],
  ] as const) {
    app.post<ById>(`/v2/images/:id/actions/${action}`, route(action), async (request, reply) => {
      await images.activate(deps, request.ctx, request.params.id, to, allowFor(request))
      return reply.code(204).send()
    })
  }

  app.put<{ Params: { id: string; tag: string } }>(
    '/v2/images/:id/tags/:tag',
    route('modify_image'),
    async (request, reply) => {
      await images.addTag(deps, request.ctx, request.params.id, request.params.tag, allowFor(request))
      return reply.code(204).send()
    },
  )
  app.delete<{ Params: { id: string; tag: string } }>(
    '/v2/images/:id/tags/:tag',
    route('modify_image'),
    async (request, reply) => {
      await images.removeTag(deps, request.ctx, request.params.id, request.params.tag, allowFor(request))
      return reply.code(204).send()
    },
  )

  app.get<{ Params: { name: string } }>(
    '/v2/schemas/:name',
    { exposeHeadRoute: false, config: { policy: 'authenticated' } },
    async ({ params: { name } }) => {
      const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined
      if (!schema) throw new CloudError('notFound', 'The resource could not be found.')
      return schema
    },
  )
}

/** An image as clients see it: its own properties stand beside the attributes. */
function viewOf(image: images.Image): Record<string, unknown> {
  return {
    ...image.properties,
    name: image.name,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    visibility: image.visibility,
    size: image.size,
    virtual_size: image.virtualSize,
    status: image.status,
    checksum: image.checksum,
    protected: image.protected,
    min_ram: image.minRam,
    min_disk: image.minDisk,
    owner: image.owner,
    os_hidden: image.osHidden,
    os_hash_algo: image.osHashAlgo,
    os_hash_value: image.osHashValue,
    id: image.id,
    created_at: seconds(image.createdAt),
    updated_at: seconds(image.updatedAt),
    tags: image.tags,
    self: `/v2/images/${image.id}`,
    file: `/v2/images/${image.id}/file`,
    schema: '/v2/schemas/image',
  }
}
