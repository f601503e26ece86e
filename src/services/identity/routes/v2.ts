import { Type } from 'typebox'
import type { Claims } from '../../../platform/auth/token-codec.ts'
import { isoOf, seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import * as projectRows from '../db/projects.ts'
import type { Deps } from '../logic/deps.ts'
import { projectsOf } from '../logic/effective-roles.ts'
import { TooManyFailures } from '../logic/failures.ts'
import { type LogIn, logIn } from '../logic/log-in.ts'
import { badRequest, unauthorized } from '../logic/refusals.ts'
import { defaultDomainId } from '../logic/seed.ts'
import { tokenBody } from '../logic/token-body.ts'
import { isTenant, oldCatalog, tenantView } from './v2-views.ts'

const Auth = Type.Object({
  auth: Type.Object({
    passwordCredentials: Type.Optional(
      Type.Object({
        username: Type.Optional(Type.String()),
        userId: Type.Optional(Type.String()),
        password: Type.String({ maxLength: 4096 }),
      }),
    ),
    token: Type.Optional(Type.Object({ id: Type.String() })),
    tenantName: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    tenantId: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  }),
})

type OldAuth = Type.Static<typeof Auth>['auth']

/** The same wish in the words of v3. There are no domains in v2.0: all is in the default one. */
function wishOf({ passwordCredentials, token, tenantId, tenantName }: OldAuth): LogIn {
  const domain = { id: defaultDomainId }
  const project = tenantId ? { id: tenantId } : tenantName ? { name: tenantName, domain } : undefined
  const scope = project ? { project } : undefined
  if (token) return { methods: ['token'], token, scope }
  if (!passwordCredentials) throw badRequest('Expecting to find passwordCredentials or token in auth.')
  const { username, userId, password } = passwordCredentials
  if (!userId && !username) throw badRequest('Expecting to find username or userId in passwordCredentials.')
  const user = userId ? { id: userId, password } : { name: username ?? '', domain, password }
  return { methods: ['password'], password: { user }, scope }
}

/** What v2.0 can say: a user of the default domain, in no scope or in one of its projects. */
const canBeSaid = ({ userDomainId, scope, delegation }: Claims): boolean =>
  userDomainId === defaultDomainId &&
  (scope === null || (scope.kind === 'project' && scope.domainId === defaultDomainId)) &&
  delegation === undefined

/**
 * Log-in as before v3, for clients that know no other. Its way to ask about a token is left out: it puts the token into
 * the URL, and so into logs. Source: Identity API reference, v2.0.
 */
export function v2Routes(app: App, deps: Deps): void {
  const db = deps.database.read

  app.get('/v2.0', { config: { policy: 'public' } }, async (request) => ({
    version: {
      id: 'v2.0',
      status: 'deprecated',
      updated: '2016-08-04T00:00:00Z',
      links: [{ rel: 'self', href: `${baseUrl(request)}/v2.0/` }],
      'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v2.0+json' }],
    },
  }))

  app.post('/v2.0/tokens', { config: { policy: 'public' }, schema: { body: Auth } }, async (request, reply) => {
    try {
      const claims = await logIn(deps, wishOf(request.body.auth), request.ip)
      if (!canBeSaid(claims)) throw unauthorized()
      reply.header('vary', 'X-Auth-Token')
      return { access: await accessOf(deps, claims, deps.tokens.issue(claims)) }
    } catch (error) {
      if (error instanceof TooManyFailures) reply.header('retry-after', error.retryAfterSeconds)
      throw error
    }
  })

  app.get('/v2.0/tenants', { config: { policy: 'authenticated' } }, async (request) => {
    const tenants = (await projectsOf(db, request.ctx.userId)).filter(isTenant)
    return { tenants: tenants.map(tenantView), tenants_links: [] }
  })
}

async function accessOf(deps: Deps, claims: Claims, id: string): Promise<object> {
  const db = deps.database.read
  const { scope, userId, roles } = claims
  const { user, catalog = [] } = (await tokenBody(deps, claims, true)) as {
    user: { name: string }
    catalog?: Parameters<typeof oldCatalog>[0]
  }
  const tenant = scope?.kind === 'project' ? await projectRows.find(db, scope.id) : undefined
  return {
    token: {
      id,
      issued_at: isoOf(claims.issuedAtMs),
      expires: seconds(isoOf(claims.expiresAtMs)),
      audit_ids: claims.auditIds,
      ...(tenant ? { tenant: tenantView(tenant) } : {}),
    },
    user: {
      id: userId,
      name: user.name,
      username: user.name,
      roles: roles.map(({ name }) => ({ name })),
      roles_links: [],
    },
    serviceCatalog: oldCatalog(catalog),
    metadata: { is_admin: 0, roles: roles.map((role) => role.id) },
  }
}
