import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { versions } from '../versions.ts'
import { aggregateRoutes } from './aggregates.ts'
import { allocationCandidateRoutes } from './allocation-candidates.ts'
import { allocationRoutes } from './allocations.ts'
import { dated } from './common.ts'
import { inventoryRoutes } from './inventories.ts'
import { reshaperRoutes } from './reshaper.ts'
import { resourceClassRoutes } from './resource-classes.ts'
import { resourceProviderRoutes } from './resource-providers.ts'
import { traitRoutes } from './traits.ts'
import { usageRoutes } from './usages.ts'

const chapters = [
  ...[resourceProviderRoutes, inventoryRoutes, resourceClassRoutes, traitRoutes, aggregateRoutes, usageRoutes],
  ...[allocationRoutes, allocationCandidateRoutes, reshaperRoutes],
]
const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'] as const

/** Every route of Placement. Source: Placement API reference. */
export function routes(app: App, deps: Deps): void {
  app.get('/', { config: { policy: 'public' } }, async (request, reply) => {
    dated(request, reply, null)
    const { min, max } = versions
    const version = { id: `v${min}`, max_version: max, min_version: min, status: 'CURRENT' }
    return { versions: [{ ...version, links: [{ rel: 'self', href: '' }] }] }
  })
  for (const chapter of chapters) chapter(app, deps)
  refuseOtherMethods(app)
}

/** A path that exists answers 405 to what it cannot do, with what it can. */
function refuseOtherMethods(app: App): void {
  const served = Map.groupBy([...app.routeList], ({ url }) => url)
  for (const [url, routes] of served) {
    const can = routes.map(({ method }) => method)
    const others = methods.filter((method) => !can.includes(method))
    const allow = methods.filter((method) => can.includes(method)).join(', ')
    app.route({
      ...{ method: [...others], url, config: { policy: 'authenticated' } },
      handler: async (_request, reply) => {
        reply.header('allow', allow)
        throw new CloudError('notAllowed', 'The method specified is not allowed for this resource.')
      },
    })
  }
}
