import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { logInSigned } from '../logic/ec2-log-in.ts'
import { unauthorized } from '../logic/refusals.ts'
import { tokenBody } from '../logic/token-body.ts'

const Texts = Type.Record(Type.String(), Type.String())
const Ec2 = Type.Object({
  access: Type.String(),
  signature: Type.String(),
  host: Type.Optional(Type.String()),
  verb: Type.Optional(Type.String()),
  path: Type.Optional(Type.String()),
  params: Type.Optional(Texts),
  headers: Type.Optional(Texts),
  body_hash: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})
const S3 = Type.Object({ access: Type.String(), signature: Type.String(), token: Type.String() })

/**
 * For services that take signed requests: whose is this signature? Only services and administrators may ask, or a
 * stolen signed request would be worth a token. Source: Keystone's `/v3/ec2tokens` and `/v3/s3tokens`.
 */
export function ec2TokenRoutes(app: App, deps: Deps): void {
  app.post(
    '/v3/ec2tokens',
    {
      config: { policy: 'identity:ec2tokens_validate' },
      // Three names have been in use for the same.
      schema: {
        body: Type.Object({
          credentials: Type.Optional(Ec2),
          credential: Type.Optional(Ec2),
          ec2Credentials: Type.Optional(Ec2),
        }),
      },
    },
    async (request, reply) => {
      const { body } = request
      const sent = body.credentials ?? body.credential ?? body.ec2Credentials
      if (!sent) throw unauthorized()
      const { access, signature, host = '', verb = '', path = '', params = {}, headers = {}, body_hash } = sent
      const claims = await logInSigned(deps, {
        access,
        signature,
        request: { host, verb, path, params, headers, bodyHash: body_hash ?? '' },
      })
      reply.header('x-subject-token', deps.tokens.issue(claims))
      return { token: await tokenBody(deps, claims, true) }
    },
  )

  app.post(
    '/v3/s3tokens',
    {
      config: { policy: 'identity:s3tokens_validate' },
      schema: { body: Type.Object({ credentials: Type.Optional(S3), credential: Type.Optional(S3) }) },
    },
    async (request) => {
      const sent = request.body.credentials ?? request.body.credential
      if (!sent) throw unauthorized()
      const { access, signature, token } = sent
      return { token: await tokenBody(deps, await logInSigned(deps, { access, signature, text: token }), true) }
    },
  )
}
