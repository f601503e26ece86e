import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { projectOf } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { limitsOf } from '../logic/quotas.ts'
import { Metadata } from './common.ts'
import { findImage, propertiesOf } from './images.ts'
import { ask } from './neighbours.ts'

const strict = { additionalProperties: false }
const All = Type.Object({ metadata: Metadata }, strict)
const One = Type.Object(
  { meta: Type.Unsafe<Record<string, string>>({ ...Metadata, minProperties: 1, maxProperties: 1 }) },
  strict,
)
const patchType = 'application/openstack-images-v2.1-json-patch'

/** Proxies of an image's properties until 2.38. Source: Compute API reference, "Images (deprecated)", metadata. */
export function imageMetadataRoutes(app: App, deps: Deps): void {
  const config = { policy: 'authenticated', until: '2.38' }
  const params = Type.Object({ id: Type.String() })
  const both = Type.Object({ id: Type.String(), key: Type.String() })
  const held = async (request: FastifyRequest, id: string) => propertiesOf(await findImage(deps, request, id))

  app.get('/images/:id/metadata', { config, schema: { params } }, async (request) => ({
    metadata: await held(request, request.params.id),
  }))

  app.post('/images/:id/metadata', { config, schema: { params, body: All } }, async (request) => {
    const before = await held(request, request.params.id)
    return { metadata: await change(request, request.params.id, before, { ...before, ...request.body.metadata }) }
  })

  app.put('/images/:id/metadata', { config, schema: { params, body: All } }, async (request) => {
    const before = await held(request, request.params.id)
    return { metadata: await change(request, request.params.id, before, request.body.metadata) }
  })

  app.get('/images/:id/metadata/:key', { config, schema: { params: both } }, async (request) => {
    const { id, key } = request.params
    const metadata = await held(request, id)
    if (!Object.hasOwn(metadata, key)) throw new CloudError('notFound', 'The resource could not be found.')
    return { meta: { [key]: metadata[key] } }
  })

  app.put('/images/:id/metadata/:key', { config, schema: { params: both, body: One } }, async (request) => {
    const { id, key } = request.params
    const { meta } = request.body
    if (!Object.hasOwn(meta, key)) throw new CloudError('badRequest', 'Request body and URI mismatch')
    const before = await held(request, id)
    await change(request, id, before, { ...before, ...meta })
    return { meta }
  })

  app.delete('/images/:id/metadata/:key', { config, schema: { params: both } }, async (request, reply) => {
    const { id, key } = request.params
    const before = await held(request, id)
    if (!Object.hasOwn(before, key)) throw new CloudError('notFound', 'Invalid metadata key')
    const { [key]: _gone, ...rest } = before
    await change(request, id, before, rest)
    return reply.code(204).send()
  })

  async function change(
    request: FastifyRequest,
    id: string,
    before: Readonly<Record<string, string>>,
    after: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, string>>> {
    const { metadata_items: most } = await limitsOf(deps, deps.ground.database.read, projectOf(request.ctx))
    if (most >= 0 && Object.keys(after).length > most) {
      throw new CloudError('forbidden', 'Image metadata limit exceeded')
    }
    const pointer = (key: string) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const body = [
      ...Object.entries(after).flatMap(([key, value]) =>
        before[key] === value
          ? []
          : [{ op: Object.hasOwn(before, key) ? 'replace' : 'add', path: pointer(key), value }],
      ),
      ...Object.keys(before).flatMap((key) =>
        Object.hasOwn(after, key) ? [] : [{ op: 'remove', path: pointer(key) }],
      ),
    ]
    const path = `/v2/images/${encodeURIComponent(id)}`
    if (body.length > 0) await ask(deps.image, request, { method: 'PATCH', path, body, contentType: patchType })
    return after
  }
}
