import type { FastifyRequest } from 'fastify'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { granted, parseScopes } from '../logic/access.ts'
import type { Deps } from '../logic/deps.ts'
import { byPassword, byRefreshToken, newRefreshToken, type Proven } from '../logic/log-in.ts'
import { bodyOf } from './shared.ts'

/** As short as clients take; they fetch another by themselves. */
const ttlSeconds = 600
const maxForm = 64 * 1024

/** Source: distribution's "Token Authentication Specification" and "OAuth2 Token Authentication". */
export function tokenRoutes(app: App, deps: Deps): void {
  const config = { policy: 'public' }

  app.get('/token', { config, exposeHeadRoute: false }, async (request) => {
    const search = new URL(request.url, 'http://x').searchParams
    const { user, password } = basicOf(request)
    const wishes = parseScopes(search.getAll('scope'))
    const proven = await byPassword(deps, user, password, { wishes, address: request.ip, requestId: request.id })
    return answer(deps, proven, search.getAll('scope'), search.get('offline_token') === 'true')
  })

  app.post('/token', { config }, async (request) => {
    const form = new URLSearchParams(await formOf(request))
    const scopes = form.getAll('scope')
    const common = { wishes: parseScopes(scopes), address: request.ip, requestId: request.id }
    const grant = form.get('grant_type')
    if (grant === 'refresh_token') {
      const token = form.get('refresh_token') ?? ''
      const proven = await byRefreshToken(deps, token, common)
      return { ...(await answer(deps, proven, scopes, false)), refresh_token: token }
    }
    if (grant !== 'password')
      throw new CloudError('badRequest', 'grant_type is to be password or refresh_token', { type: 'UNSUPPORTED' })
    const proven = await byPassword(deps, form.get('username') ?? '', form.get('password') ?? '', common)
    return answer(deps, proven, scopes, form.get('access_type') === 'offline')
  })
}

async function answer(deps: Deps, proven: Proven, scopes: readonly string[], isLasting: boolean) {
  const { ctx } = proven
  const access = await granted(deps, ctx, parseScopes(scopes))
  const token = deps.tokens.issue({ subject: ctx.userName, access, ttlSeconds, identityToken: ctx.token })
  const refresh = isLasting ? await newRefreshToken(deps, proven) : null
  return {
    token,
    access_token: token,
    expires_in: ttlSeconds,
    issued_at: deps.clock.now(),
    ...(refresh === null ? {} : { refresh_token: refresh }),
  }
}

/** @throws CloudError UNAUTHORIZED: nobody is let in without a name. */
export function basicOf(request: FastifyRequest): { user: string; password: string } {
  const [scheme, credentials = ''] = request.headers.authorization?.split(' ') ?? []
  const decoded = Buffer.from(credentials, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  if (scheme?.toLowerCase() !== 'basic' || colon < 1)
    throw new CloudError('unauthorized', 'authentication required', { type: 'UNAUTHORIZED' })
  return { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) }
}

/** Skopeo and Podman send it without saying how long it is. */
async function formOf(request: FastifyRequest): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of bodyOf(request) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxForm) throw new CloudError('tooLarge', 'the form is too large', { type: 'SIZE_INVALID' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
