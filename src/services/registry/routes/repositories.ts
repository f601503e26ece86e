import type { FastifyReply, FastifyRequest } from 'fastify'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { callerOf } from '../logic/access.ts'
import type { Action, Deps } from '../logic/deps.ts'
import { isName } from '../logic/names.ts'
import { refusals } from '../logic/refusals.ts'
import { deleteBlob, sendBlob } from './blobs.ts'
import { deleteManifest, listReferrers, listTags, putManifest, sendManifest } from './manifests.ts'
import { challenge, drain, enter, type Visit } from './shared.ts'
import { addChunk, beginUpload, cancelUpload, endUpload, uploadStatus } from './uploads.ts'

type Handler = (visit: Visit, reference: string) => Promise<FastifyReply>
type Methods = Readonly<Record<string, readonly [Action, Handler]>>

const upload = /^(?<name>.+)\/blobs\/uploads\/(?<reference>[0-9a-f-]{36})$/
/** Names hold slashes, so what a path is about stands at its end. The first that fits counts. */
const resources: readonly (readonly [RegExp, Methods])[] = [
  [/^(?<name>.+)\/blobs\/uploads\/?$/, { POST: ['push', beginUpload] }],
  [
    upload,
    {
      GET: ['push', uploadStatus],
      HEAD: ['push', uploadStatus],
      PATCH: ['push', addChunk],
      PUT: ['push', endUpload],
      DELETE: ['push', cancelUpload],
    },
  ],
  [
    /^(?<name>.+)\/blobs\/(?<reference>[^/]+)$/,
    { GET: ['pull', sendBlob], HEAD: ['pull', sendBlob], DELETE: ['delete', deleteBlob] },
  ],
  [
    /^(?<name>.+)\/manifests\/(?<reference>[^/]+)$/,
    {
      GET: ['pull', sendManifest],
      HEAD: ['pull', sendManifest],
      PUT: ['push', putManifest],
      DELETE: ['delete', deleteManifest],
    },
  ],
  [/^(?<name>.+)\/tags\/list$/, { GET: ['pull', listTags] }],
  [/^(?<name>.+)\/referrers\/(?<reference>[^/]+)$/, { GET: ['pull', listReferrers] }],
]

/**
 * Everything below a repository. The tokens are the registry's own, so the application's policy sees these routes as
 * public. Source: OCI distribution specification 1.1, "Endpoints".
 */
export function repositoryRoutes(app: App, deps: Deps): void {
  const config = { policy: 'public' }
  app.removeAllContentTypeParsers() // manifests are JSON that must be kept byte for byte
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('docker-distribution-api-version', 'registry/2.0')
  })

  app.route({
    method: ['GET', 'HEAD'],
    url: '/v2/',
    config,
    handler: async (request, reply) => {
      if (!callerOf(deps, request)) throw challenge(request, reply)
      return {}
    },
  })

  app.route<{ Params: { '*': string } }>({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: '/v2/*',
    config,
    handler: async (request, reply) => {
      try {
        return await dispatch(deps, request, reply, request.params['*'])
      } catch (thrown) {
        drain(request)
        throw thrown
      }
    },
  })
}

function dispatch(deps: Deps, request: FastifyRequest, reply: FastifyReply, path: string): Promise<FastifyReply> {
  for (const [pattern, methods] of resources) {
    const { name, reference = '' } = pattern.exec(path)?.groups ?? {}
    if (name === undefined) continue
    if (!isName(name)) throw refusals.nameInvalid(name.slice(0, 300))
    const found = methods[request.method]
    if (!found) {
      reply.header('allow', Object.keys(methods).join(', '))
      throw new CloudError('notAllowed', 'the operation is unsupported', { type: 'UNSUPPORTED' })
    }
    const [action, handler] = found
    return handler(enter(deps, request, reply, name, action), reference)
  }
  throw new CloudError('notFound', 'no such endpoint', { type: 'NAME_INVALID' })
}
