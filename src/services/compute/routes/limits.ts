import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { limitsOf, usedOf } from '../logic/quotas.ts'
import { last, queryOf, since } from './common.ts'

/** What a project may have, and has. Source: Compute API reference, "Limits (limits)". */
export function limitRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  app.get('/limits', { config: { policy: 'os_compute_api:limits' } }, async (request) => {
    const query = queryOf(request)
    const other = last(query, 'tenant_id')
    if (other) request.enforce({ project_id: other }, 'os_compute_api:limits:other_project')
    const projectId = other ?? request.ctx.projectId ?? ''
    const [limits, used] = await Promise.all([limitsOf(deps, read, projectId), usedOf(deps, read, projectId)])
    return {
      limits: {
        rate: [],
        absolute: {
          maxTotalInstances: limits.instances,
          maxTotalCores: limits.cores,
          maxTotalRAMSize: limits.ram,
          maxTotalKeypairs: limits.key_pairs,
          maxServerMeta: limits.metadata_items,
          maxServerGroups: limits.server_groups,
          maxServerGroupMembers: limits.server_group_members,
          ...(since(request, '2.39') ? {} : { maxImageMeta: limits.metadata_items }),
          ...(since(request, '2.57')
            ? {}
            : {
                maxPersonality: limits.injected_files,
                maxPersonalitySize: limits.injected_file_content_bytes,
              }),
          ...(since(request, '2.36')
            ? {}
            : {
                maxTotalFloatingIps: limits.floating_ips,
                maxSecurityGroups: limits.security_groups,
                maxSecurityGroupRules: limits.security_group_rules,
                totalFloatingIpsUsed: 0,
                totalSecurityGroupsUsed: 0,
              }),
          totalInstancesUsed: used.instances,
          totalCoresUsed: used.cores,
          totalRAMUsed: used.ram,
          totalServerGroupsUsed: used.server_groups,
        },
      },
    }
  })
}
