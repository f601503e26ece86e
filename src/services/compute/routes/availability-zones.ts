import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import * as hypervisors from '../logic/hypervisors.ts'
import { defaultZone } from '../logic/scheduler.ts'

/** Every host is in the one zone there is. Source: Compute API reference, "Availability zones". */
export function availabilityZoneRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const rule = (name: string) => ({ policy: `os_compute_api:os-availability-zone:${name}` })

  app.get('/os-availability-zone', { config: rule('list') }, async () => {
    const available = (await hypervisors.list(deps, read)).some((h) => h.service.disabled === 0)
    return { availabilityZoneInfo: [{ zoneName: defaultZone, zoneState: { available }, hosts: null }] }
  })

  app.get('/os-availability-zone/detail', { config: rule('detail') }, async () => {
    const enabled = (await hypervisors.list(deps, read)).filter((h) => h.service.disabled === 0)
    const hosts = enabled.map((h) => {
      const service = { available: h.up, active: true, updated_at: h.seenAt?.replace('Z', '') ?? null }
      return [h.host, { 'nova-compute': service }]
    })
    const available = hosts.length > 0
    const zone = {
      zoneName: defaultZone,
      zoneState: { available },
      hosts: available ? Object.fromEntries(hosts) : null,
    }
    return { availabilityZoneInfo: [zone] }
  })
}
