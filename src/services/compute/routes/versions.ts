import type { FastifyRequest } from 'fastify'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { versions } from '../versions.ts'

/** v2.0 is v2.1 without microversions. */
const known = [
  { id: 'v2.0', path: '/v2', status: 'SUPPORTED', version: '', min_version: '', updated: '2011-01-21T11:33:21Z' },
  {
    ...{ id: 'v2.1', path: '/v2.1', status: 'CURRENT', version: versions.max, min_version: versions.min },
    updated: '2013-07-23T11:33:21Z',
  },
]

const view = (request: FastifyRequest, { path, ...version }: (typeof known)[number]) => ({
  ...version,
  links: [{ rel: 'self', href: `${baseUrl(request)}${path}/` }],
})

/** Source: Compute API reference, "API Versions". */
export function versionRoutes(app: App): void {
  const config = { policy: 'public' }
  app.get('/', { config }, async (request) => ({ versions: known.map((version) => view(request, version)) }))
  for (const version of known) {
    app.get(version.path, { config }, async (request) => ({
      version: {
        ...view(request, version),
        links: [
          ...view(request, version).links,
          { rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' },
        ],
        'media-types': [
          {
            base: 'application/json',
            type: `application/vnd.openstack.compute+json;version=${version.id.slice(1).replace('.0', '')}`,
          },
        ],
      },
    }))
  }
}
