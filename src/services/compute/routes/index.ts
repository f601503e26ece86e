import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { availabilityZoneRoutes } from './availability-zones.ts'
import { extensionRoutes } from './extensions.ts'
import { flavorAccessRoutes } from './flavor-access.ts'
import { flavorExtraSpecRoutes } from './flavor-extra-specs.ts'
import { flavorRoutes } from './flavors.ts'
import { hypervisorRoutes } from './hypervisors.ts'
import { instanceActionRoutes } from './instance-actions.ts'
import { keypairRoutes } from './keypairs.ts'
import { limitRoutes } from './limits.ts'
import { quotaSetRoutes } from './quota-sets.ts'
import { serverActionRoutes } from './server-actions.ts'
import { serverAddressRoutes } from './server-addresses.ts'
import { serverDiagnosticsRoutes } from './server-diagnostics.ts'
import { serverMetadataRoutes } from './server-metadata.ts'
import { serverTagRoutes } from './server-tags.ts'
import { serverRoutes } from './servers.ts'
import { serviceRoutes } from './services.ts'
import { versionRoutes } from './versions.ts'

const chapters = [
  availabilityZoneRoutes,
  extensionRoutes,
  flavorAccessRoutes,
  flavorExtraSpecRoutes,
  flavorRoutes,
  hypervisorRoutes,
  instanceActionRoutes,
  keypairRoutes,
  limitRoutes,
  quotaSetRoutes,
  serverActionRoutes,
  serverAddressRoutes,
  serverDiagnosticsRoutes,
  serverMetadataRoutes,
  serverTagRoutes,
  serverRoutes,
  serviceRoutes,
]

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
