import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/images.ts'
import { only } from './shared.ts'

/** What the caller's project may have, and has. Source: Image API v2 reference, "Quota usage". */
export function usageRoutes(app: App, { database, quotas }: Deps): void {
  app.get(
    '/v2/info/usage',
    { exposeHeadRoute: false, config: { policy: 'authenticated' } },
    async ({ ctx: { projectId } }) => {
      const limits = await quotas.limits(database.read, projectId ?? '')
      const used = await quotas.usage(database.read, projectId ?? '')
      return {
        usage: Object.fromEntries(quotas.resources.map((name) => [name, { usage: used[name], limit: limits[name] }])),
      }
    },
  )
  only(app, '/v2/info/usage', ['GET'])
}
