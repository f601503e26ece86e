import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BlobStore } from '../../../platform/blobs/blobs.ts'
import type { Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { contentRange, rangeOf } from '../../../platform/http/ranges.ts'
import * as repositories from '../db/repositories.ts'
import type { PullTokens } from '../logic/pull-tokens.ts'

export interface PullDeps {
  db: Db
  blobs: BlobStore
  tokens: PullTokens
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const resource = new RegExp(`^(?<name>${component}(?:/${component})*)/(?<kind>manifests|blobs)/(?<reference>[^/]+)$`)
const digest = /^sha256:[0-9a-f]{64}$/

/**
 * Pulling by digest, with a token for exactly the repository asked for. The tokens are the registry's own, so the
 * application's policy sees these routes as public. Source: OCI distribution specification 1.1, "Pull".
 */
export function pullRoutes(app: App, deps: PullDeps): void {
  const config = { policy: 'public' }
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('docker-distribution-api-version', 'registry/2.0')
  })

  app.route({
    method: ['GET', 'HEAD'],
    url: '/v2/',
    config,
    handler: async (request, reply) => {
      if (!allowed(request, deps.tokens)) throw challenge(request, reply)
      return {}
    },
  })

  app.route<{ Params: { '*': string } }>({
    method: ['GET', 'HEAD'],
    url: '/v2/*',
    config,
    handler: async (request, reply) => {
      const { name, kind, reference } = resource.exec(request.params['*'])?.groups ?? {}
      if (!name || !reference) throw new CloudError('notFound', 'invalid repository name', { type: 'NAME_INVALID' })
      const pullable = allowed(request, deps.tokens)
      if (!pullable?.includes(name)) throw challenge(request, reply, name, pullable !== null)
      return kind === 'blobs'
        ? sendBlob(deps, request, reply, name, reference)
        : sendManifest(deps, request, reply, name, reference)
    },
  })
}

function allowed(request: FastifyRequest, tokens: PullTokens): readonly string[] | null {
  const [scheme, token] = request.headers.authorization?.split(' ') ?? []
  return scheme?.toLowerCase() === 'bearer' && token ? tokens.verify(token) : null
}

/** Engines read this even when they were handed a token: without a `Bearer` challenge they never send it. */
function challenge(request: FastifyRequest, reply: FastifyReply, name?: string, known = false): CloudError {
  const scope = name ? `,scope="repository:${name}:pull"` : ''
  const error = known ? ',error="insufficient_scope"' : ''
  reply.header('www-authenticate', `Bearer realm="${baseUrl(request)}/token",service="registry"${scope}${error}`)
  return new CloudError('unauthorized', 'authentication required', { type: 'UNAUTHORIZED' })
}

async function sendManifest(
  { db }: PullDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  reference: string,
): Promise<FastifyReply> {
  const manifest = await repositories.findManifest(db, name, reference)
  if (!manifest) {
    if (reference.includes(':') && !digest.test(reference)) throw invalidDigest(reference)
    if (await repositories.exists(db, name)) {
      throw new CloudError('notFound', `manifest unknown: ${reference}`, { type: 'MANIFEST_UNKNOWN' })
    }
    throw new CloudError('notFound', 'repository name not known to registry', { type: 'NAME_UNKNOWN' })
  }
  const content = Buffer.from(manifest.content)
  reply
    .type(manifest.mediaType)
    .header('docker-content-digest', manifest.digest)
    .header('etag', `"${manifest.digest}"`)
    .header('content-length', content.length)
  return request.method === 'HEAD' ? reply.send() : reply.send(content)
}

async function sendBlob(
  { db, blobs }: PullDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  reference: string,
): Promise<FastifyReply> {
  if (!digest.test(reference)) throw invalidDigest(reference)
  const blob = await repositories.findBlob(db, name, reference)
  if (!blob) throw new CloudError('notFound', 'blob unknown to registry', { type: 'BLOB_UNKNOWN' })
  reply
    .type('application/octet-stream')
    .header('docker-content-digest', blob.digest)
    .header('etag', `"${blob.digest}"`)
    .header('accept-ranges', 'bytes')
    .header('cache-control', 'max-age=31536000')
  if (request.headers['if-none-match'] === `"${blob.digest}"`) return reply.code(304).send()
  const range = request.method === 'GET' ? rangeOf(request.headers.range, blob.size) : null
  if (range === 'unsatisfiable') {
    return reply.code(416).header('content-range', `bytes */${blob.size}`).header('content-length', 0).send()
  }
  const { start, end } = range ?? { start: 0, end: blob.size }
  if (range) reply.code(206).header('content-range', contentRange(range, blob.size))
  reply.header('content-length', end - start)
  if (request.method === 'HEAD') return reply.send()
  return reply.send(await blobs.open(blob.blobKey, { start: blob.offset + start, end: blob.offset + end }))
}

const invalidDigest = (reference: string): CloudError =>
  new CloudError('badRequest', `invalid digest: ${reference}`, { type: 'DIGEST_INVALID' })
