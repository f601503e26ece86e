import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { versionsOf } from '../versions.ts'

/** Source: Image API v2 reference, "API versions". */
export function versionRoutes(app: App, hasStores: boolean): void {
  for (const [url, code] of [
    ['/', 300],
    ['/versions', 200],
  ] as const) {
    app.get(url, { config: { policy: 'public' } }, async (request, reply) => {
      const links = [{ rel: 'self', href: `${baseUrl(request)}/v2/` }]
      return reply.code(code).send({ versions: versionsOf(hasStores).map(({ id, status }) => ({ id, status, links })) })
    })
  }
}
