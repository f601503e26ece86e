import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as metadataRows from '../db/server-metadata.ts'
import type { Deps } from '../logic/deps.ts'
import * as metadata from '../logic/server-metadata.ts'
import { Metadata } from './common.ts'
import { findServer } from './find-server.ts'

const strict = { additionalProperties: false }
const absent = () => new CloudError('notFound', 'Metadata item was not found')

/** Source: Compute API reference, "Server metadata (servers, metadata)". */
export function serverMetadataRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const config = (name: string) => ({
    policy: `os_compute_api:server-metadata:${name}`,
    check: 'handler' as const,
  })
  const one = { params: Type.Object({ id: Type.String() }) }
  const item = { params: Type.Object({ id: Type.String(), key: Type.String() }) }
  const body = Type.Object({ metadata: Metadata }, strict)
  const find = async (request: FastifyRequest<{ Params: { id: string } }>) =>
    await findServer(deps, request as FastifyRequest, request.params.id)

  app.get('/servers/:id/metadata', { config: config('index'), schema: one }, async (request) => ({
    metadata: await metadataRows.get(read, (await find(request)).id),
  }))

  app.post('/servers/:id/metadata', { config: config('create'), schema: { ...one, body } }, async (request) => {
    const server = await find(request)
    return { metadata: await metadata.put(deps, request.ctx, server.id, request.body.metadata, false) }
  })

  app.put('/servers/:id/metadata', { config: config('update_all'), schema: { ...one, body } }, async (request) => {
    const server = await find(request)
    return { metadata: await metadata.put(deps, request.ctx, server.id, request.body.metadata, true) }
  })

  app.get('/servers/:id/metadata/:key', { config: config('show'), schema: item }, async (request) => {
    const { key } = request.params
    const value = (await metadataRows.get(read, (await find(request)).id))[key]
    if (value === undefined) throw absent()
    return { meta: { [key]: value } }
  })

  const meta = Type.Object({ meta: Metadata }, strict)
  app.put(
    '/servers/:id/metadata/:key',
    { config: config('update'), schema: { ...item, body: meta } },
    async (request) => {
      const server = await find(request)
      const entries = Object.entries(request.body.meta)
      if (entries.length > 1) throw new CloudError('badRequest', 'Request body contains too many items')
      if (entries[0]?.[0] !== request.params.key) throw new CloudError('badRequest', 'Request body and URI mismatch')
      await metadata.put(deps, request.ctx, server.id, request.body.meta, false)
      return { meta: request.body.meta }
    },
  )

  app.delete('/servers/:id/metadata/:key', { config: config('delete'), schema: item }, async (request, reply) => {
    const server = await find(request)
    if (!(await metadata.remove(deps, request.ctx, server.id, request.params.key))) throw absent()
    return reply.code(204).send()
  })
}
