import type { Trx } from '../../../platform/db/database.ts'
import type { Refusal } from '../../placement/index.ts'
import * as aggregateRows from '../db/aggregates.ts'
import * as serviceRows from '../db/services.ts'
import type { ComputeFacts } from '../messages.ts'
import type { BootableImage, Deps } from './deps.ts'

/** The zone of every host that was put into no other. */
export const defaultZone = 'nova'

export interface Placement {
  zone: string | null
  /** An administrator's choice of host; it also overrules that the host is disabled. */
  forcedHost: string | null
  image: Pick<BootableImage, 'properties'>
  /** Hosts of the servers named by a hint; null when none was. */
  sameHost?: readonly string[] | null
  differentHost?: readonly string[] | null
}

/** Why one host will not do: the filter, and what it found. */
export interface HostRefusal {
  host: string
  filter: string
  reason: string
}

interface Candidate {
  host: string
  up: boolean
  disabled: boolean
  disabledReason: string | null
  forcedDown: boolean
  zone: string
  architecture: string | undefined
}

/** A filter gives the reason for a refusal, or null. In the order of what to mend first. */
const filters: readonly [name: string, (host: Candidate, wanted: Placement) => string | null][] = [
  [
    'ForcedHost',
    ({ host }, { forcedHost }) => (forcedHost && host !== forcedHost ? `${forcedHost} was asked for` : null),
  ],
  [
    'ComputeFilter',
    (host, { forcedHost }) => {
      if (host.forcedDown) return 'its service was forced down'
      if (!host.up) return 'its service has not been heard of lately'
      if (host.disabled && !forcedHost) return `its service is disabled (${host.disabledReason ?? 'no reason given'})`
      return null
    },
  ],
  [
    'AvailabilityZoneFilter',
    (host, { zone }) => (zone && host.zone !== zone ? `wanted ${zone}, is in ${host.zone}` : null),
  ],
  [
    'SameHostFilter',
    ({ host }, { sameHost }) =>
      sameHost && !sameHost.includes(host) ? 'no server of the hint same_host is on it' : null,
  ],
  [
    'DifferentHostFilter',
    ({ host }, { differentHost }) =>
      differentHost?.includes(host) ? 'a server of the hint different_host is on it' : null,
  ],
  ['ImagePropertiesFilter', (host, { image }) => imageMismatch(host, image.properties)],
]

/** Sorts the hosts into those that may be asked for room, and those refused with the first filter's reason. */
export async function candidates(
  deps: Deps,
  trx: Trx,
  wanted: Placement,
): Promise<{ hosts: string[]; refused: HostRefusal[]; zones: Map<string, string> }> {
  const services = new Map((await serviceRows.list(trx)).map((service) => [service.host, service]))
  const zones = await aggregateRows.zones(trx)
  const hosts: string[] = []
  const refused: HostRefusal[] = []
  for (const host of await deps.hosts.list('compute', trx)) {
    const service = services.get(host.name)
    const candidate: Candidate = {
      host: host.name,
      up: deps.hosts.isUp(host),
      disabled: service?.disabled === 1,
      disabledReason: service?.disabled_reason ?? null,
      forcedDown: service?.forced_down === 1,
      zone: zones.get(host.name) ?? defaultZone,
      architecture: (host.facts as Partial<ComputeFacts>).architecture,
    }
    const refusal = filters
      .map(([filter, refuses]) => ({ host: host.name, filter, reason: refuses(candidate, wanted) }))
      .find((r): r is HostRefusal => r.reason !== null)
    if (refusal) refused.push(refusal)
    else hosts.push(host.name)
  }
  return { hosts, refused, zones }
}

/** Names that mean the same machine. */
const architectures: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  x64: 'x86_64',
  arm64: 'aarch64',
  i386: 'i686',
  x86: 'i686',
}
const canonical = (architecture: string): string => {
  const name = architecture.toLowerCase()
  return architectures[name] ?? name
}

/** Source: Compute admin guide, "ImagePropertiesFilter"; the values are those of Nova's old Docker driver. */
function imageMismatch({ architecture }: Candidate, properties: Readonly<Record<string, string>>): string | null {
  const wantedType = properties.img_hv_type ?? properties.hypervisor_type
  if (wantedType && wantedType.toLowerCase() !== 'docker') return `hypervisor_type: wanted ${wantedType}, is docker`
  const mode = properties.hw_vm_mode ?? properties.vm_mode
  if (mode && mode.toLowerCase() !== 'exe') return `vm_mode: wanted ${mode}, is exe`
  const wanted = properties.hw_architecture ?? properties.architecture
  if (!wanted || !architecture) return null
  const runs = canonical(architecture)
  const fits = canonical(wanted) === runs || (canonical(wanted) === 'i686' && runs === 'x86_64')
  return fits ? null : `architecture: wanted ${wanted}, is ${runs}`
}

/** The sentence of a server's fault when no host would have it: each host, what refused it, and by how much. */
export function noValidHost(refused: readonly HostRefusal[], short: readonly Refusal[]): string {
  const rooms = short.map((r) => `${r.host}: ${r.resourceClass}: wanted ${r.wanted}, free ${r.free} of ${r.capacity}`)
  const others = refused.map((r) => `${r.host}: ${r.filter}: ${r.reason}`)
  const reasons = [...rooms, ...others]
  return `No valid host was found. ${reasons.length > 0 ? reasons.join('; ') : 'No compute host has reported yet.'}`
}
