import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { serverActionRoutes } from './server-actions.ts'
import { serverRoutes } from './servers.ts'
import { versionRoutes } from './versions.ts'

const chapters = [serverRoutes, serverActionRoutes]

/** Every route twice: as it is, and behind the project's id as older clients write it. */
export function routes(app: App, deps: Deps): void {
  versionRoutes(app)
  const mount = async (scope: App) => {
    for (const chapter of chapters) chapter(scope, deps)
  }
  app.register((scope) => mount(scope as unknown as App), { prefix: '/v2.1' })
  app.register(
    async (scope) => {
      scope.addHook('preHandler', async (request) => {
        const { projectId } = request.params as { projectId: string }
        if (request.routeOptions.config.policy === 'public' || projectId === request.ctx.projectId) return
        const text = `Malformed request URL: URL's project_id '${projectId}' doesn't match Context's project_id '${request.ctx.projectId}'`
        throw new CloudError('badRequest', text)
      })
      await mount(scope as unknown as App)
    },
    { prefix: '/v2.1/:projectId' },
  )
}
