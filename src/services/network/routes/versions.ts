import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { resources, versions } from '../versions.ts'

/** Source: Network API reference, "API versions". */
export function versionRoutes(app: App): void {
  app.get('/', { config: { policy: 'public' } }, async (request) => ({
    versions: versions.map(({ id, status }) => ({
      id,
      status,
      links: [{ rel: 'self', href: `${baseUrl(request)}/${id}/` }],
    })),
  }))

  app.get('/v2.0', { config: { policy: 'authenticated' } }, async (request) => ({
    resources: resources.map(([collection, name]) => ({
      name,
      collection,
      links: [{ rel: 'self', href: `${baseUrl(request)}/v2.0/${collection}` }],
    })),
  }))
}
