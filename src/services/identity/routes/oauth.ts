import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { isoOf } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import * as oauthRows from '../db/oauth.ts'
import * as roleRows from '../db/roles.ts'
import { refuseDelegated } from '../logic/delegated.ts'
import type { Deps } from '../logic/deps.ts'
import * as oauth from '../logic/oauth.ts'
import type { OauthRequest } from '../logic/oauth-signatures.ts'
import { notFound } from '../logic/refusals.ts'
import { writeRevoking } from '../logic/revoking.ts'
import { roleView } from './roles.ts'
import { listed, selfLink } from './shapes.ts'

/** The request as its sender signed it. */
export const signedRequest = (request: FastifyRequest): OauthRequest => ({
  method: request.method,
  url: `${baseUrl(request)}${request.url}`,
  authorization: request.headers.authorization,
})

const issued = ({ id, secret, expiresAtMs }: oauth.Issued): string =>
  `oauth_token=${id}&oauth_token_secret=${secret}&oauth_expires_at=${isoOf(expiresAtMs)}`

const form = 'application/x-www-form-urlencoded'

/** Source: Identity API reference, "OS-OAUTH1 API". */
export function oauthRoutes(app: App, deps: Deps): void {
  // Clients sign instead of logging in, so these two ask for no token.
  app.post('/v3/OS-OAUTH1/request_token', { config: { policy: 'public' } }, async (request, reply) => {
    const project = request.headers['requested-project-id']
    const token = await oauth.requestToken(
      deps,
      signedRequest(request),
      typeof project === 'string' ? project : undefined,
    )
    return reply.code(201).type(form).send(issued(token))
  })

  app.post('/v3/OS-OAUTH1/access_token', { config: { policy: 'public' } }, async (request, reply) =>
    reply
      .code(201)
      .type(form)
      .send(issued(await oauth.accessToken(deps, signedRequest(request)))),
  )

  const Role = Type.Object(
    { id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) },
    { additionalProperties: false, minProperties: 1, maxProperties: 1 },
  )
  app.put(
    '/v3/OS-OAUTH1/authorize/:id',
    {
      config: { policy: 'identity:authorize_request_token' },
      schema: { params: Type.Object({ id: Type.String() }), body: Type.Object({ roles: Type.Array(Role) }) },
    },
    async (request) => {
      refuseDelegated(request.ctx)
      const { id } = request.params
      return { token: { oauth_verifier: await oauth.authorize(deps, request.ctx.userId, id, request.body.roles) } }
    },
  )
  accessTokenRoutes(app, deps)
}

/** What a user has let consumers do. */
function accessTokenRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const url = '/v3/users/:userId/OS-OAUTH1/access_tokens'
  const params = Type.Object({ userId: Type.String(), id: Type.String() })

  const view = (request: FastifyRequest) => (token: oauthRows.AccessToken) => {
    const own = selfLink(request, `users/${token.userId}/OS-OAUTH1/access_tokens/${token.id}`)
    return {
      id: token.id,
      consumer_id: token.consumerId,
      project_id: token.projectId,
      authorizing_user_id: token.userId,
      expires_at: isoOf(token.expiresAtMs),
      links: { ...own, roles: `${own.self}/roles` },
    }
  }
  const one = async ({ userId, id }: { userId: string; id: string }) => {
    const token = await oauthRows.findAccess(db, id)
    if (token?.userId !== userId) throw new CloudError('notFound', 'Access token not found')
    return token
  }

  app.get(
    url,
    {
      config: { policy: 'identity:list_access_tokens' },
      schema: { params: Type.Object({ userId: Type.String() }) },
    },
    async (request) => {
      refuseDelegated(request.ctx)
      const tokens = await oauthRows.listAccessOf(db, { userId: request.params.userId })
      return listed(request, 'access_tokens', tokens, view(request))
    },
  )

  app.get(`${url}/:id`, { config: { policy: 'identity:get_access_token' }, schema: { params } }, async (request) => {
    refuseDelegated(request.ctx)
    return { access_token: view(request)(await one(request.params)) }
  })

  app.delete(
    `${url}/:id`,
    { config: { policy: 'identity:delete_access_token' }, schema: { params } },
    async (request, reply) => {
      refuseDelegated(request.ctx)
      const { id } = await one(request.params)
      await writeRevoking(deps, async (trx, revoke) => {
        await oauthRows.removeAccess(trx, id)
        revoke({ scope: `oauth1:${id}` })
      })
      return reply.code(204).send()
    },
  )

  app.get(
    `${url}/:id/roles`,
    { config: { policy: 'identity:list_access_token_roles' }, schema: { params } },
    async (request) => {
      const { roleIds } = await one(request.params)
      return listed(request, 'roles', await roleRows.findAll(db, roleIds), roleView(request))
    },
  )

  app.get(
    `${url}/:id/roles/:roleId`,
    {
      config: { policy: 'identity:get_access_token_role' },
      schema: { params: Type.Object({ userId: Type.String(), id: Type.String(), roleId: Type.String() }) },
    },
    async (request) => {
      const { roleId } = request.params
      const { roleIds } = await one(request.params)
      const role = roleIds.includes(roleId) ? await roleRows.find(db, roleId) : undefined
      if (!role) throw notFound('role', roleId)
      return { role: roleView(request)(role) }
    },
  )
}
