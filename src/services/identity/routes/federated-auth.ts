import { timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import * as idpRows from '../db/identity-providers.ts'
import type { Deps } from '../logic/deps.ts'
import { federatedLogIn } from '../logic/federated-log-in.ts'
import { type Assertion, attributeKey } from '../logic/mapping-rules.ts'
import { badRequest, notFound, unauthorized } from '../logic/refusals.ts'
import { tokenBody } from '../logic/token-body.ts'
import { queryOf } from './shapes.ts'

/**
 * Log-in by an identity provider elsewhere. Whatever speaks its protocol (mod_auth_openidc, mod_shib …) is a proxy in
 * front of us, and hands on what it learned as headers; nobody else's word is taken.
 * Source: Identity API reference, "OS-FEDERATION: authenticating"; Keystone documentation, "Configuring Keystone for
 * federation".
 */
export function federatedAuthRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const params = Type.Object({ idpId: Type.String(), protocolId: Type.String() })
  const place = 'identity_providers/:idpId/protocols/:protocolId'
  const open = { config: { policy: 'public' }, schema: { params } } as const

  for (const method of ['GET', 'POST'] as const)
    app.route({
      ...{ method, url: `/v3/OS-FEDERATION/${place}/auth`, ...open, exposeHeadRoute: false },
      handler: async (request, reply) => {
        const assertion = assertionOf(deps, request)
        const claims = await federatedLogIn(deps, { ...request.params, assertion })
        reply.code(201).header('x-subject-token', deps.tokens.issue(claims)).header('vary', 'X-Auth-Token')
        return { token: await tokenBody(deps, claims, true) }
      },
    })

  for (const method of ['GET', 'POST'] as const)
    app.route({
      ...{ method, url: `/v3/auth/OS-FEDERATION/${place}/websso`, ...open, exposeHeadRoute: false },
      handler: async (request, reply) => {
        const assertion = assertionOf(deps, request)
        const origin = trustedOrigin(deps, request)
        const token = deps.tokens.issue(await federatedLogIn(deps, { ...request.params, assertion }))
        return reply.type('text/html; charset=utf-8').headers(handOverHeaders).send(handOver(origin, token))
      },
    })

  // Without a provider in its path: the assertion says which one it is.
  for (const method of ['GET', 'POST'] as const)
    app.route({
      ...{ method, url: '/v3/auth/OS-FEDERATION/websso/:protocolId', exposeHeadRoute: false },
      ...{ config: { policy: 'public' }, schema: { params: Type.Object({ protocolId: Type.String() }) } },
      handler: async (request, reply) => {
        const assertion = assertionOf(deps, request)
        const origin = trustedOrigin(deps, request)
        const remoteId = assertion.get(attributeKey(deps.federation.remoteIdAttribute))?.join(';')
        if (remoteId === undefined) throw unauthorized()
        const idp = await idpRows.findByRemoteId(db, remoteId)
        if (!idp) throw notFound('Identity Provider', remoteId)
        const { protocolId } = request.params
        const token = deps.tokens.issue(await federatedLogIn(deps, { idpId: idp.id, protocolId, assertion }))
        return reply.type('text/html; charset=utf-8').headers(handOverHeaders).send(handOver(origin, token))
      },
    })
}

/** @throws CloudError kind `unauthorized` unless the request comes from a proxy that is trusted. */
function assertionOf({ federation }: Deps, request: FastifyRequest): Assertion {
  const { trustedProxies, proxySecret, headerPrefix } = federation
  if (trustedProxies === '' && proxySecret === '') throw unauthorized()
  const addresses = trustedProxies.split(',').map((address) => address.trim())
  if (trustedProxies !== '' && !addresses.includes(request.ip.replace(/^::ffff:/, ''))) throw unauthorized()
  if (proxySecret !== '' && !same(request.headers['x-federation-secret'], proxySecret)) throw unauthorized()
  const prefix = headerPrefix.toLowerCase()
  const assertion = new Map<string, string[]>()
  for (const [name, value] of Object.entries(request.headers)) {
    if (!name.startsWith(prefix) || name === 'x-federation-secret' || typeof value !== 'string' || value === '')
      continue
    // Node reads header bytes as ISO-8859-1, and today's providers send UTF-8.
    assertion.set(attributeKey(name.slice(prefix.length)), Buffer.from(value, 'latin1').toString('utf8').split(';'))
  }
  return assertion
}

function same(sent: string | string[] | undefined, secret: string): boolean {
  const [a, b] = [Buffer.from(String(sent ?? '')), Buffer.from(secret)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** @throws CloudError for an address that no setting names: a token must not be sent to just anybody. */
function trustedOrigin({ federation }: Deps, request: FastifyRequest): string {
  const { origin } = queryOf(request)
  if (!origin) throw badRequest('Request must have an origin query parameter')
  const trusted = federation.trustedDashboards.split(',').map((each) => each.trim())
  if (!trusted.includes(origin)) throw unauthorized()
  return origin
}

const handOverHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; script-src 'unsafe-inline'",
}

/** Sends the browser on, as Keystone's page does: a form that posts itself. */
const handOver = (origin: string, token: string): string => `<!DOCTYPE html>
<html><head><title>Logging in</title></head><body>
<form id="sso" action="${escaped(origin)}" method="post">
<input type="hidden" name="token" value="${escaped(token)}">
<noscript><input type="submit" value="Continue"></noscript>
</form>
<script>document.getElementById('sso').submit()</script>
</body></html>
`

const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
