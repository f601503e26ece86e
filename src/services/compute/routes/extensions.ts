import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'

/** What is here of the days when everything beyond servers was an extension: alias, name. */
const extensions: readonly (readonly [alias: string, name: string])[] = [
  ['OS-DCF', 'DiskConfig'],
  ['OS-EXT-AZ', 'ExtendedAvailabilityZone'],
  ['OS-EXT-IPS', 'ExtendedIps'],
  ['OS-EXT-IPS-MAC', 'ExtendedIpsMac'],
  ['OS-EXT-SRV-ATTR', 'ExtendedServerAttributes'],
  ['OS-EXT-STS', 'ExtendedStatus'],
  ['OS-FLV-DISABLED', 'FlavorDisabled'],
  ['OS-FLV-EXT-DATA', 'FlavorExtraData'],
  ['OS-SRV-USG', 'ServerUsage'],
  ['os-assisted-volume-snapshots', 'AssistedVolumeSnapshots'],
  ['os-baremetal-nodes', 'BareMetalNodes'],
  ['os-floating-ip-pools', 'FloatingIpPools'],
  ['os-floating-ips', 'FloatingIps'],
  ['os-instance_usage_audit_log', 'OSInstanceUsageAuditLog'],
  ['os-networks', 'Networks'],
  ['os-server-external-events', 'ServerExternalEvents'],
  ['os-tenant-networks', 'OSTenantNetworks'],
  ['OS-EXT-IMG-SIZE', 'ImageSize'],
  ['os-lock-server', 'LockServer'],
  ['os-pause-server', 'PauseServer'],
  ['os-access-ips', 'AccessIPs'],
  ['os-aggregates', 'Aggregates'],
  ['os-admin-actions', 'AdminActions'],
  ['os-admin-password', 'AdminPassword'],
  ['os-availability-zone', 'AvailabilityZone'],
  ['os-console-auth-tokens', 'ConsoleAuthTokens'],
  ['os-consoles', 'Consoles'],
  ['os-create-backup', 'CreateBackup'],
  ['os-config-drive', 'ConfigDrive'],
  ['os-console-output', 'ConsoleOutput'],
  ['os-deferred-delete', 'DeferredDelete'],
  ['os-flavor-access', 'FlavorAccess'],
  ['os-flavor-extra-specs', 'FlavorExtraSpecs'],
  ['os-flavor-manage', 'FlavorManage'],
  ['os-flavor-rxtx', 'FlavorRxtx'],
  ['os-flavor-swap', 'FlavorSwap'],
  ['os-hypervisors', 'Hypervisors'],
  ['os-hosts', 'Hosts'],
  ['os-instance-actions', 'InstanceActions'],
  ['os-keypairs', 'Keypairs'],
  ['os-migrations', 'Migrations'],
  ['os-multiple-create', 'MultipleCreate'],
  ['os-quota-class-sets', 'QuotaClasses'],
  ['os-quota-sets', 'Quotas'],
  ['os-scheduler-hints', 'SchedulerHints'],
  ['os-security-groups', 'SecurityGroups'],
  ['os-server-password', 'ServerPassword'],
  ['os-personality', 'Personality'],
  ['os-server-diagnostics', 'ServerDiagnostics'],
  ['os-server-start-stop', 'ServerStartStop'],
  ['os-server-groups', 'ServerGroups'],
  ['os-services', 'Services'],
  ['os-shelve', 'Shelve'],
  ['os-simple-tenant-usage', 'SimpleTenantUsage'],
  ['os-suspend-server', 'SuspendServer'],
  ['os-used-limits', 'UsedLimits'],
  ['os-user-data', 'UserData'],
]

const view = ([alias, name]: readonly [string, string]) => ({
  ...{ alias, name, description: name, namespace: 'http://docs.openstack.org/compute/ext/fake_xml' },
  ...{ updated: '2014-12-03T00:00:00Z', links: [] },
})

/** Frozen: nothing new is announced this way. Source: Compute API reference, "Extensions (extensions)". */
export function extensionRoutes(app: App): void {
  const config = { policy: 'os_compute_api:extensions' }
  app.get('/extensions', { config }, async () => ({ extensions: extensions.map(view) }))
  app.get(
    '/extensions/:alias',
    { config, schema: { params: Type.Object({ alias: Type.String() }) } },
    async ({ params }) => {
      const found = extensions.find(([alias]) => alias === params.alias)
      if (!found) throw new CloudError('notFound', 'The resource could not be found.')
      return { extension: view(found) }
    },
  )
}
