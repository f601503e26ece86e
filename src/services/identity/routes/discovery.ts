import type { FastifyRequest } from 'fastify'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { jsonHome, wantsJsonHome } from './json-home.ts'
import { selfLink } from './shapes.ts'

const version = (request: FastifyRequest) => ({
  id: 'v3.14',
  status: 'stable',
  updated: '2020-04-07T00:00:00Z',
  links: [{ rel: 'self', href: selfLink(request, '').self }],
  'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
})

const homeType = 'application/json-home'

/** Source: Identity API reference, "API versions". */
export function discoveryRoutes(app: App): void {
  app.get('/', { config: { policy: 'public' } }, async (request, reply) => {
    if (wantsJsonHome(request.headers.accept)) return reply.type(homeType).send(jsonHome(app, '/v3'))
    return reply
      .code(300)
      .header('location', `${baseUrl(request)}/v3/`)
      .send({ versions: { values: [version(request)] } })
  })
  app.get('/v3', { config: { policy: 'public' } }, async (request, reply) => {
    if (wantsJsonHome(request.headers.accept)) return reply.type(homeType).send(jsonHome(app, ''))
    return { version: version(request) }
  })
}
