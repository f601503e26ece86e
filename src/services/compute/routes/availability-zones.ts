import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import * as hypervisors from '../logic/hypervisors.ts'
import { defaultZone } from '../logic/scheduler.ts'

/** Zones are made by aggregates; hosts in none are in the default one. Source: Compute API reference, "Availability zones". */
export function availabilityZoneRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const rule = (name: string) => ({ policy: `os_compute_api:os-availability-zone:${name}` })
  const zones = async () => {
    const all = Map.groupBy(await hypervisors.list(deps, read), (hypervisor) => hypervisor.zone)
    if (all.size === 0) all.set(defaultZone, [])
    return [...all].map(([zoneName, hosts]) => ({ zoneName, enabled: hosts.filter((h) => h.service.disabled === 0) }))
  }

  app.get('/os-availability-zone', { config: rule('list') }, async () => ({
    availabilityZoneInfo: (await zones()).map(({ zoneName, enabled }) => ({
      ...{ zoneName, zoneState: { available: enabled.length > 0 }, hosts: null },
    })),
  }))

  app.get('/os-availability-zone/detail', { config: rule('detail') }, async () => {
    const availabilityZoneInfo = (await zones()).map(({ zoneName, enabled }) => {
      const hosts = enabled.map((h) => {
        const service = { available: h.up, active: true, updated_at: h.seenAt?.replace('Z', '') ?? null }
        return [h.host, { 'nova-compute': service }]
      })
      const available = enabled.length > 0
      return { zoneName, zoneState: { available }, hosts: available ? Object.fromEntries(hosts) : null }
    })
    return { availabilityZoneInfo }
  })
}
