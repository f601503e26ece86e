import type { FastifyRequest } from 'fastify'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { versions } from '../versions.ts'

const version = (request: FastifyRequest) => ({
  id: 'v2.1',
  status: 'CURRENT',
  version: versions.max,
  min_version: versions.min,
  updated: '2013-07-23T11:33:21Z',
  links: [{ rel: 'self', href: `${baseUrl(request)}/v2.1/` }],
})

/** Source: Compute API reference, "API Versions". */
export function versionRoutes(app: App): void {
  app.get('/', { config: { policy: 'public' } }, async (request) => ({ versions: [version(request)] }))
  const config = { policy: 'public' }
  app.get('/v2.1', { config }, async (request) => ({
    version: {
      ...version(request),
      links: [
        { rel: 'self', href: `${baseUrl(request)}/v2.1/` },
        { rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' },
      ],
      'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.compute+json;version=2.1' }],
    },
  }))
}
