import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import * as consumerRows from '../db/consumers.ts'
import * as stockRows from '../db/stock.ts'
import type { Deps } from '../logic/deps.ts'
import * as providers from '../logic/providers.ts'
import { badRequest } from '../logic/refusals.ts'
import { checkKeys, dated, idParams, last, queryOf, since } from './common.ts'

/** Source: Placement API reference, "Usages", "Resource provider usages". */
export function usageRoutes(app: App, { database }: Deps): void {
  app.get(
    '/resource_providers/:id/usages',
    { config: { policy: 'placement:resource_providers:usages' }, schema: { params: idParams } },
    async (request, reply) => {
      const provider = await providers.get(database.read, request.params.id)
      const stocks = await stockRows.list(database.read, [provider.id])
      dated(request, reply, null)
      return {
        resource_provider_generation: provider.generation,
        usages: Object.fromEntries(stocks.map((stock) => [stock.resource_class, stock.used])),
      }
    },
  )

  app.get(
    '/usages',
    {
      config: { policy: 'placement:usages', check: 'handler', since: '1.9' },
      schema: { querystring: Type.Object({}) },
    },
    async (request, reply) => {
      const query = queryOf(request)
      const projectId = last(query, 'project_id')
      request.enforce({ project_id: projectId ?? null })
      const typed = since(request, '1.38')
      checkKeys(query, (name) => name === 'project_id' || name === 'user_id' || (typed && name === 'consumer_type'))
      if (!projectId) throw badRequest("Invalid query string parameters: 'project_id' is a required property")
      const type = last(query, 'consumer_type')
      if (type !== undefined && !/^[A-Z0-9_]+$|^all$|^unknown$/.test(type)) {
        throw badRequest(`Invalid query string parameters: '${type}' is not a type of consumer`)
      }
      const found = await consumerRows.typedUsages(database.read, { projectId, userId: last(query, 'user_id') })
      dated(request, reply, null)
      if (!typed) {
        const sums: Record<string, number> = {}
        for (const { resourceClass, used } of found.usages) sums[resourceClass] = (sums[resourceClass] ?? 0) + used
        return { usages: sums }
      }
      const usages: Record<string, Record<string, number>> = {}
      const several = type === 'all'
      for (const each of found.usages) {
        const name = several ? 'all' : (each.type ?? 'unknown')
        if (type !== undefined && !several && name !== type) continue
        const consumers = several ? [...found.consumers.values()].reduce((sum, n) => sum + n, 0) : each.consumers
        usages[name] ??= { consumer_count: consumers }
        const sums = usages[name]
        sums[each.resourceClass] = (sums[each.resourceClass] ?? 0) + each.used
      }
      return { usages }
    },
  )
}
