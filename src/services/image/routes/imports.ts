import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as importRows from '../db/imports.ts'
import * as images from '../logic/images.ts'
import * as imports from '../logic/imports.ts'
import * as stores from '../logic/stores.ts'
import { drain } from './image-data.ts'
import { allowFor, only } from './shared.ts'
import { taskView } from './tasks.ts'

type ById = { Params: { id: string } }

const Body = Type.Record(Type.String(), Type.Unknown())

/** Source: Image API v2 reference, "Interoperable image import" and "Image service info discovery". */
export function importRoutes(app: App, deps: images.Deps, nudge: () => void): void {
  const route = (policy: string) => ({ exposeHeadRoute: false, config: { policy, check: 'handler' as const } })

  app.put<ById>('/v2/images/:id/stage', route('modify_image'), async (request, reply) => {
    const { ctx, body, headers } = request
    if (headers['content-type']?.split(';')[0]?.trim() !== 'application/octet-stream') {
      throw new CloudError('unsupportedMedia', 'Image data must be sent as application/octet-stream.')
    }
    if (!(body instanceof Readable)) throw new CloudError('badRequest', 'Image data must be sent as a stream of bytes.')
    const announced = headers['content-length'] === undefined ? undefined : Number(headers['content-length'])
    try {
      await imports.stage(deps, ctx, request.params.id, body, announced, allowFor(request))
    } catch (thrown) {
      drain(body)
      throw thrown
    }
    return reply.code(204).send()
  })
  only(app, '/v2/images/:id/stage', ['PUT'])

  app.post('/v2/images/:id/import', { ...route('modify_image'), schema: { body: Body } }, async (request, reply) => {
    const { id } = request.params as ById['Params']
    await imports.request(deps, request.ctx, id, request.body, allowFor(request))
    nudge()
    return reply.code(202).send()
  })
  only(app, '/v2/images/:id/import', ['POST'])

  app.get<ById>('/v2/images/:id/tasks', route('get_image'), async (request) => {
    const image = await images.get(deps.database.read, request.ctx, request.params.id)
    allowFor(request)('get_image', image)
    return { tasks: (await importRows.tasksOf(deps.database.read, image.id)).map(taskView) }
  })
  only(app, '/v2/images/:id/tasks', ['GET'])

  app.get('/v2/info/import', { exposeHeadRoute: false, config: { policy: 'authenticated' } }, async () => ({
    'import-methods': { description: 'Import methods available.', type: 'array', value: imports.importMethods(deps) },
  }))
  only(app, '/v2/info/import', ['GET'])

  // Where there is one store, images do not name it: clients read this as upstream's answer.
  const listed = () => {
    if (!stores.areMany(deps)) throw new CloudError('notFound', 'Multi backend is not supported at this site.')
    return deps.blobs.stores.map(({ id, description, type, properties }, i) => ({
      stub: { id, description, ...(i === 0 ? { default: 'true' } : {}) },
      detail: { type, properties },
    }))
  }
  app.get('/v2/info/stores', { exposeHeadRoute: false, config: { policy: 'authenticated' } }, async () => ({
    stores: listed().map(({ stub }) => stub),
  }))
  only(app, '/v2/info/stores', ['GET'])
  app.get('/v2/info/stores/detail', route('stores_info_detail'), async (request) => {
    const found = listed()
    request.enforce({})
    return { stores: found.map(({ stub, detail }) => ({ ...stub, ...detail })) }
  })
  only(app, '/v2/info/stores/detail', ['GET'])

  app.delete<{ Params: { store: string; id: string } }>(
    '/v2/stores/:store/:id',
    route('delete_image_location'),
    async (request, reply) => {
      const { store, id } = request.params
      await stores.removeFrom(deps, request.ctx, store, id, allowFor(request))
      return reply.code(204).send()
    },
  )
  only(app, '/v2/stores/:store/:id', ['DELETE'])
}
