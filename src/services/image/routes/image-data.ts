import { Readable } from 'node:stream'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { contentRange, rangeOf } from '../../../platform/http/ranges.ts'
import * as images from '../logic/images.ts'
import { dataOf } from '../logic/pieces.ts'
import { storeOfHeader } from '../logic/stores.ts'
import { upload } from '../logic/uploads.ts'
import { allowFor, only } from './shared.ts'

type ById = { Params: { id: string } }

/** Source: Image API v2 reference, "Image data". */
export function imageDataRoutes(app: App, deps: images.Deps): void {
  app.put<ById>(
    '/v2/images/:id/file',
    { config: { policy: 'upload_image', check: 'handler' } },
    async (request, reply) => {
      const { ctx, body, headers } = request
      if (headers['content-type']?.split(';')[0]?.trim() !== 'application/octet-stream') {
        throw new CloudError('unsupportedMedia', 'Image data must be sent as application/octet-stream.')
      }
      if (!(body instanceof Readable))
        throw new CloudError('badRequest', 'Image data must be sent as a stream of bytes.')
      const announced = headers['content-length'] === undefined ? undefined : Number(headers['content-length'])
      try {
        const store = storeOfHeader(deps, headers['x-image-meta-store'])
        await upload(deps, ctx, request.params.id, body, announced, allowFor(request), store)
      } catch (thrown) {
        drain(body)
        throw thrown
      }
      return reply.code(204).send()
    },
  )

  app.get<ById>(
    '/v2/images/:id/file',
    { exposeHeadRoute: false, config: { policy: 'download_image', check: 'handler' } },
    async (request, reply) => {
      const image = await images.get(deps.database.read, request.ctx, request.params.id)
      allowFor(request)('download_image', image)
      if (image.status === 'deactivated' && !request.ctx.isAdmin) {
        throw new CloudError('forbidden', 'The requested image has been deactivated. Image data download is forbidden.')
      }
      const data = await dataOf(deps, image)
      if (!data || image.size === null) return reply.code(204).send()
      const range = rangeOf(request.headers.range, image.size)
      if (range === 'unsatisfiable') {
        return reply.code(416).header('content-range', `bytes */${image.size}`).header('content-length', 0).send()
      }
      const { start, end } = range ?? { start: 0, end: image.size }
      reply
        .type('application/octet-stream')
        .header('accept-ranges', 'bytes')
        .header('content-length', end - start)
      if (range) reply.code(206).header('content-range', contentRange(range, image.size))
      else if (image.checksum) reply.header('content-md5', image.checksum)
      return reply.send(await data({ start, end }))
    },
  )
  only(app, '/v2/images/:id/file', ['GET', 'PUT'])
}

/** Most clients read an answer only when they have sent everything; one that goes on for too long is cut off. */
export function drain(body: Readable): void {
  const patience = setTimeout(() => body.destroy(), 60_000).unref()
  body.once('close', () => clearTimeout(patience)).resume()
}
