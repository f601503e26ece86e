import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Claims } from '../../../platform/auth/token-codec.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { TooManyFailures } from '../logic/failures.ts'
import { logIn } from '../logic/log-in.ts'
import { InsufficientMethods } from '../logic/receipts.ts'
import { notFound } from '../logic/refusals.ts'
import { writeRevoking } from '../logic/revoking.ts'
import { tokenText } from '../logic/token-body.ts'
import { signedRequest } from './oauth.ts'
import { isTrue, queryOf } from './shapes.ts'

const json = 'application/json; charset=utf-8'

/** How long after its end a service may still ask what a token meant: long work goes on with it. Keystone's default. */
const allowExpiredMs = 48 * 3_600_000

const Domain = Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) })
const Auth = Type.Object({
  auth: Type.Object({
    identity: Type.Object({
      methods: Type.Array(Type.String()),
      password: Type.Optional(
        Type.Object({
          user: Type.Object({
            id: Type.Optional(Type.String()),
            name: Type.Optional(Type.String()),
            domain: Type.Optional(Domain),
            password: Type.String({ maxLength: 4096 }),
          }),
        }),
      ),
      totp: Type.Optional(
        Type.Object({
          user: Type.Object({
            id: Type.Optional(Type.String()),
            name: Type.Optional(Type.String()),
            domain: Type.Optional(Domain),
            passcode: Type.String({ maxLength: 64 }),
          }),
        }),
      ),
      token: Type.Optional(Type.Object({ id: Type.String() })),
      application_credential: Type.Optional(
        Type.Object({
          id: Type.Optional(Type.String()),
          name: Type.Optional(Type.String()),
          user: Type.Optional(
            Type.Object({
              id: Type.Optional(Type.String()),
              name: Type.Optional(Type.String()),
              domain: Type.Optional(Domain),
            }),
          ),
          secret: Type.String({ maxLength: 4096 }),
        }),
      ),
    }),
    scope: Type.Optional(
      Type.Union([
        Type.Literal('unscoped'),
        Type.Object({
          project: Type.Optional(
            Type.Object({
              id: Type.Optional(Type.String()),
              name: Type.Optional(Type.String()),
              domain: Type.Optional(Domain),
            }),
          ),
          domain: Type.Optional(Domain),
          system: Type.Optional(Type.Object({ all: Type.Optional(Type.Boolean()) })),
          unscoped: Type.Optional(Type.Object({})),
          'OS-TRUST:trust': Type.Optional(Type.Object({ id: Type.String() })),
        }),
      ]),
    ),
  }),
})

/** Source: Identity API reference, "Authentication and token management". */
export function tokenRoutes(app: App, deps: Deps): void {
  app.post('/v3/auth/tokens', { config: { policy: 'public' }, schema: { body: Auth } }, async (request, reply) => {
    const { identity, scope } = request.body.auth
    try {
      const receipt = request.headers['openstack-auth-receipt']
      const wanted = {
        ...identity,
        oauth1: identity.methods.includes('oauth1') ? signedRequest(request) : undefined,
        receipt: typeof receipt === 'string' ? receipt : undefined,
        scope,
      }
      const claims = await logIn(deps, wanted, request.ip)
      reply.code(201).header('x-subject-token', deps.tokens.issue(claims)).header('vary', 'X-Auth-Token')
      reply.type(json)
      return await tokenText(deps, claims, wantsCatalog(request))
    } catch (error) {
      if (error instanceof InsufficientMethods)
        return reply.code(401).header('openstack-auth-receipt', error.receipt).send(error.body)
      if (error instanceof TooManyFailures) reply.header('retry-after', error.retryAfterSeconds)
      throw error
    }
  })

  /** The token asked about, for a caller who may know. One that is not valid is nobody's: that, all may know. */
  const subject = (request: FastifyRequest, rule: string): Claims => {
    const header = request.headers['x-subject-token']
    const token = typeof header === 'string' ? header : ''
    const forgiven = isTrue(queryOf(request).allow_expired) ? allowExpiredMs : 0
    const claims = deps.tokens.read(token, { allowExpiredMs: forgiven })
    if (!claims || !understood(request, claims)) throw notFound('token', token)
    request.enforce({ 'target.token.user_id': claims.userId }, rule)
    return claims
  }

  const check = { policy: 'identity:check_token', check: 'handler' } as const
  app.head('/v3/auth/tokens', { config: check }, async (request, reply) => {
    subject(request, check.policy)
    return reply.headers({ 'x-subject-token': request.headers['x-subject-token'], vary: 'X-Auth-Token' }).send()
  })

  const validate = { policy: 'identity:validate_token', check: 'handler' } as const
  app.get('/v3/auth/tokens', { config: validate, exposeHeadRoute: false }, async (request, reply) => {
    const claims = subject(request, validate.policy)
    reply.headers({ 'x-subject-token': request.headers['x-subject-token'], vary: 'X-Auth-Token' })
    reply.type(json)
    return await tokenText(deps, claims, wantsCatalog(request))
  })

  const revoke = { policy: 'identity:revoke_token', check: 'handler' } as const
  app.delete('/v3/auth/tokens', { config: revoke }, async (request, reply) => {
    const { auditIds } = subject(request, revoke.policy)
    await writeRevoking(deps, async (_trx, revokeTokens) => revokeTokens({ auditId: auditIds[0]! }))
    return reply.code(204).send()
  })
}

/** A service that cannot tell of its knowing access rules would not keep to them: for it, such a token is none. */
const understood = (request: FastifyRequest, { delegation }: Claims): boolean =>
  request.method === 'DELETE' ||
  delegation?.kind !== 'application_credential' ||
  delegation.accessRules === undefined ||
  Number(request.headers['openstack-identity-access-rules'] ?? 0) >= 1

const wantsCatalog = (request: FastifyRequest): boolean => !('nocatalog' in queryOf(request))
