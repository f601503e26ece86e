import type { Context } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { microversion } from '../../../platform/http/microversions.ts'
import type { Deps } from '../logic/deps.ts'
import { versions } from '../versions.ts'
import { aggregateRoutes } from './aggregates.ts'
import { availabilityZoneRoutes } from './availability-zones.ts'
import { extensionRoutes } from './extensions.ts'
import { externalEventRoutes } from './external-events.ts'
import { flavorAccessRoutes } from './flavor-access.ts'
import { flavorExtraSpecRoutes } from './flavor-extra-specs.ts'
import { flavorRoutes } from './flavors.ts'
import { floatingIpRoutes } from './floating-ips.ts'
import { goneRoutes } from './gone.ts'
import { hostRoutes } from './hosts.ts'
import { hypervisorRoutes } from './hypervisors.ts'
import { imageMetadataRoutes } from './image-metadata.ts'
import { imageRoutes } from './images.ts'
import { instanceActionRoutes } from './instance-actions.ts'
import { interfaceRoutes } from './interfaces.ts'
import { keypairRoutes } from './keypairs.ts'
import { limitRoutes } from './limits.ts'
import { migrationRoutes } from './migrations.ts'
import { neighbourlessRoutes } from './neighbourless.ts'
import { networkRoutes } from './networks.ts'
import { quotaClassRoutes } from './quota-classes.ts'
import { quotaSetRoutes } from './quota-sets.ts'
import { remoteConsoleRoutes } from './remote-consoles.ts'
import { securityGroupRoutes } from './security-groups.ts'
import { serverActionRoutes } from './server-actions.ts'
import { serverAddressRoutes } from './server-addresses.ts'
import { serverDiagnosticsRoutes } from './server-diagnostics.ts'
import { serverFactRoutes } from './server-facts.ts'
import { serverGroupRoutes } from './server-groups.ts'
import { serverMetadataRoutes } from './server-metadata.ts'
import { serverPasswordRoutes } from './server-password.ts'
import { serverTagRoutes } from './server-tags.ts'
import { serverRoutes } from './servers.ts'
import { serviceRoutes } from './services.ts'
import { tenantUsageRoutes } from './tenant-usage.ts'
import { usageAuditLogRoutes } from './usage-audit-log.ts'
import { versionRoutes } from './versions.ts'
import { volumeAttachmentRoutes } from './volume-attachments.ts'

const chapters = [
  ...[
    serverRoutes,
    serverActionRoutes,
    interfaceRoutes,
    volumeAttachmentRoutes,
    serverAddressRoutes,
    serverDiagnosticsRoutes,
    serverMetadataRoutes,
  ],
  ...[serverTagRoutes, instanceActionRoutes, flavorRoutes, flavorAccessRoutes, flavorExtraSpecRoutes, keypairRoutes],
  ...[hypervisorRoutes, serviceRoutes, availabilityZoneRoutes, limitRoutes, quotaSetRoutes, extensionRoutes],
  ...[serverGroupRoutes, migrationRoutes, tenantUsageRoutes, serverFactRoutes],
  ...[aggregateRoutes, quotaClassRoutes, securityGroupRoutes],
  ...[imageRoutes, imageMetadataRoutes, networkRoutes, floatingIpRoutes, hostRoutes, externalEventRoutes],
  ...[remoteConsoleRoutes, serverPasswordRoutes, usageAuditLogRoutes, neighbourlessRoutes, goneRoutes],
]

/**
 * Every route under `/v2.1` and, without microversions, under `/v2`, which is how old clients know it; each as it is,
 * and behind the project's id as both once had it.
 */
export function routes(app: App, deps: Deps): void {
  versionRoutes(app)
  for (const version of ['/v2.1', '/v2']) {
    for (const project of ['', '/:projectId']) {
      app.register(
        async (scope) => {
          scope.addHook('preHandler', async (request) => {
            if (version === '/v2') request.microversion = microversion(versions.min)
            if (project) checkProject(request.ctx, (request.params as { projectId: string }).projectId)
          })
          for (const chapter of chapters) chapter(scope as unknown as App, deps)
        },
        { prefix: version + project },
      )
    }
  }
}

/** @throws CloudError `badRequest` */
function checkProject(ctx: Context, projectId: string): void {
  if (projectId === ctx.projectId) return
  const text = `Malformed request URL: URL's project_id '${projectId}' doesn't match Context's project_id '${ctx.projectId}'`
  throw new CloudError('badRequest', text)
}
