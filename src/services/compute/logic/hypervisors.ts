import type { Db } from '../../../platform/db/database.ts'
import * as aggregateRows from '../db/aggregates.ts'
import * as serverRows from '../db/servers.ts'
import * as serviceRows from '../db/services.ts'
import type { ComputeFacts } from '../messages.ts'
import type { Deps } from './deps.ts'
import { defaultZone } from './scheduler.ts'

/** A compute host as operators see it: its service, what it has, and how much of that is taken. */
export interface Hypervisor {
  /** The id that the API shows from 2.53 on, and the number before it. */
  id: string
  number: number
  host: string
  zone: string
  up: boolean
  service: serviceRows.ComputeServiceRow
  seenAt: string | null
  facts: Partial<ComputeFacts>
  used: { vcpus: number; memoryMiB: number; diskGiB: number; servers: number; building: number }
}

/** All of them, in order of their numbers, with five queries. */
export async function list(deps: Deps, db: Db): Promise<Hypervisor[]> {
  const [services, hosts, usage, zones] = await Promise.all([
    serviceRows.list(db),
    deps.hosts.list('compute', db),
    serverRows.usageByHost(db),
    aggregateRows.zones(db),
  ])
  const known = new Map(hosts.map((host) => [host.name, host]))
  return services.map((service) => {
    const host = known.get(service.host)
    return {
      id: service.hypervisor_id,
      number: service.number,
      host: service.host,
      zone: zones.get(service.host) ?? defaultZone,
      up: host !== undefined && service.forced_down === 0 && deps.hosts.isUp(host),
      service,
      seenAt: host?.seenAt ?? null,
      facts: (host?.facts ?? {}) as Partial<ComputeFacts>,
      used: usage.get(service.host) ?? { vcpus: 0, memoryMiB: 0, diskGiB: 0, servers: 0, building: 0 },
    }
  })
}
