import { createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { createPolicy } from '../../../platform/auth/policy-engine.ts'
import { urlOf } from '../../../platform/config.ts'
import { CloudError } from '../../../platform/errors.ts'
import { type App, createApp } from '../../../platform/http/app.ts'
import type { FaultDialect } from '../../../platform/http/faults.ts'
import * as guestRows from '../db/guest-data.ts'
import * as serverRows from '../db/servers.ts'
import type { Deps } from '../logic/deps.ts'
import { type Guest, guestOf } from '../logic/guest.ts'
import { lookUp, root } from '../logic/guest-paths.ts'

/** An encrypted password of the usual keys is 344 or 684 characters of base64. */
const longestPassword = 1020

/**
 * The metadata service: what a server is told about itself at 169.254.169.254. A host's proxy knows which server asks,
 * and says so in headers that it signs; nobody else is believed.
 * Source: Nova administrator's guide, "Metadata service"; Nova user documentation, "Metadata".
 */
export function metadataApp(deps: Deps, authenticate: Parameters<typeof createApp>[0]['authenticate']): App {
  const { ground } = deps
  const { database, config } = ground
  const app = createApp({
    service: 'metadata',
    dialect,
    policy: createPolicy([], {}),
    authenticate,
    identityUrl: `${urlOf(config, 'identity')}/v3`,
    log: ground.log,
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  // What the program says of itself is for operators; a server's request comes through the same door.
  app.addHook('onRequest', async (request) => {
    const own = request.routeOptions.url !== '/*' && !request.is404
    if (own && request.headers['x-instance-id'] !== undefined) throw notFound()
  })

  app.get('/*', { config: { policy: 'public' } }, async (request, reply) => {
    const path = pathOf(request)
    if (path.split('/').every((part) => part === '')) return send(reply, root)
    const found = lookUp(await guest(request), path)
    if (!found) throw notFound()
    return send(reply, found)
  })

  app.post('/*', { config: { policy: 'public' } }, async (request, reply) => {
    const { server, password } = await guest(request)
    if (!/^\/+openstack\/+(latest|20\d\d-\d\d-\d\d)\/+password\/*$/.test(pathOf(request))) {
      throw new CloudError('notAllowed', 'Only a password can be posted.')
    }
    if (password) throw new CloudError('conflict', 'The password is set already.')
    const given = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    if (given.length > longestPassword) throw new CloudError('badRequest', 'Request is too large.')
    await database.write((trx) => guestRows.change(trx, server.id, { password: given.toString() }))
    return reply.code(200).send('')
  })

  async function guest(request: FastifyRequest): Promise<Guest> {
    const { id, projectId } = instanceOf(request, config.metadataProxySharedSecret)
    const server = await serverRows.find(database.read, id)
    if (!server || server.projectId !== projectId) throw notFound()
    return await guestOf(deps, database.read, server)
  }
  return app
}

/** @throws CloudError `badRequest` without a header, `forbidden` for a signature that is not a host's */
function instanceOf(request: FastifyRequest, secret: string): { id: string; projectId: string } {
  const [id, signature, projectId] = ['X-Instance-ID', 'X-Instance-ID-Signature', 'X-Tenant-ID'].map((name) => {
    const value = request.headers[name.toLowerCase()]
    if (typeof value !== 'string') throw new CloudError('badRequest', `${name} header is missing from request.`)
    return value
  }) as [string, string, string]
  const expected = createHmac('sha256', secret).update(id).digest('hex')
  const same = signature.length === expected.length && timingSafeEqual(Buffer.from(signature), Buffer.from(expected))
  if (secret === '' || !same) throw new CloudError('forbidden', 'Invalid proxy request signature.')
  return { id, projectId }
}

const notFound = () => new CloudError('notFound', 'Not Found')
const pathOf = (request: FastifyRequest): string => decodeURIComponent(request.url.split('?')[0] ?? '/')

const send = (reply: FastifyReply, { type, body }: { type: string; body: string | Buffer }) =>
  reply.type(`${type}; charset=UTF-8`).send(body)

const dialect: FaultDialect = ({ status, message }) => ({
  status,
  contentType: 'text/plain; charset=UTF-8',
  body: `${status} ${message}\n`,
})
