import type { FastifyRequest } from 'fastify'
import type { App } from '../../../platform/http/app.ts'
import { catalogFor } from '../logic/catalog.ts'
import type { Deps } from '../logic/deps.ts'
import { TooManyFailures } from '../logic/failures.ts'
import { logIn } from '../logic/log-in.ts'
import { notFound, unauthorized } from '../logic/refusals.ts'
import { defaultDomainId } from '../logic/seed.ts'

/**
 * Object Storage's own log-in, from before there was Keystone; old registries and backup programs know no other. The
 * account is a project of the default domain. Source: Object Storage API, "Authentication" (TempAuth's `/auth/v1.0`).
 */
export function v1Routes(app: App, deps: Deps): void {
  app.get('/auth/v1.0', { config: { policy: 'public' } }, async (request, reply) => {
    const [user, password] = [header(request, 'user', 'user'), header(request, 'key', 'pass')]
    const colon = user.indexOf(':')
    if (colon < 1 || password === '') throw unauthorized()
    const domain = { id: defaultDomainId }
    try {
      const wanted = {
        methods: ['password'],
        password: { user: { name: user.slice(colon + 1), domain, password } },
        scope: { project: { name: user.slice(0, colon), domain } },
      }
      const claims = await logIn(deps, wanted, request.ip)
      const projectId = claims.scope?.kind === 'project' ? claims.scope.id : null
      const url = storageUrl(await catalogFor(deps.database.read, projectId, claims.userId))
      if (url === undefined) throw notFound('service', 'object-store')
      const token = deps.tokens.issue(claims)
      const seconds = Math.floor((claims.expiresAtMs - deps.clock.nowMs()) / 1000)
      return await reply
        .headers({ 'x-auth-token': token, 'x-storage-token': token, 'x-auth-token-expires': String(seconds) })
        .header('x-storage-url', url)
        .send('')
    } catch (error) {
      if (error instanceof TooManyFailures) reply.header('retry-after', error.retryAfterSeconds)
      throw error
    }
  })
}

/** `X-Auth-User`, or under its older name `X-Storage-User`. */
function header({ headers }: FastifyRequest, name: string, older: string): string {
  const value = headers[`x-auth-${name}`] ?? headers[`x-storage-${older}`]
  return typeof value === 'string' ? value : ''
}

const storageUrl = (catalog: object[]): string | undefined =>
  (catalog as { type: string; endpoints: { interface: string; url: string }[] }[])
    .find(({ type }) => type === 'object-store')
    ?.endpoints.find((endpoint) => endpoint.interface === 'public')?.url
