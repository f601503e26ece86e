import ipaddr from 'ipaddr.js'
import { CloudError } from '../../../platform/errors.ts'
import type { ServerFlavor } from '../db/servers.ts'
import type { HostState } from './host-view.ts'
import { imageMismatch } from './image-filter.ts'
import { specMatches } from './spec-match.ts'

/** What a server asks of its host. */
export interface Wanted {
  projectId: string
  zone: string | null
  /** An administrator's choice of host; it also overrules that the host is disabled. */
  forcedHost: string | null
  image: { properties: Readonly<Record<string, string>> }
  flavor: Pick<ServerFlavor, 'name' | 'extraSpecs'>
}

/** Why one host will not do: the filter, and what it found. */
export interface HostRefusal {
  host: string
  filter: string
  reason: string
}

type Filter = (host: HostState, wanted: Wanted) => string | null

/** The values that the host's aggregates give a key; each may list several, parted by commas. */
const valuesOf = ({ aggregates }: HostState, matches: (key: string) => boolean): string[] =>
  aggregates.flatMap(({ metadata }) =>
    Object.entries(metadata).flatMap(([key, value]) => (matches(key) ? value.split(',').map((v) => v.trim()) : [])),
  )

/** The extra specs without a namespace, and those of one, without it. */
const specsOf = ({ extraSpecs }: Wanted['flavor'], namespace: string): [key: string, value: string, own: boolean][] =>
  Object.entries(extraSpecs).flatMap(([name, value]) => {
    const colon = name.indexOf(':')
    if (colon < 0) return [[name, value, false] as [string, string, boolean]]
    return name.slice(0, colon) === namespace ? [[name.slice(colon + 1), value, true] as [string, string, boolean]] : []
  })

/** What `capabilities:` may ask for, and the hint `query`. */
export function capabilitiesOf({ name, zone, facts, ioOps }: HostState): Record<string, string | number> {
  const { vcpus = 0, memoryMiB = 0, diskGiB = 0, memoryFreeMiB = 0, diskFreeGiB = 0, runningServers = 0 } = facts
  return {
    ...{ host: name, hypervisor_hostname: name, hypervisor_type: 'docker', availability_zone: zone },
    hypervisor_version: facts.engineVersion ?? '',
    ...{ host_ip: facts.hostIp ?? '', vcpus_total: vcpus, total_usable_ram_mb: memoryMiB },
    ...{ total_usable_disk_gb: Math.floor(diskGiB), free_ram_mb: memoryFreeMiB },
    ...{ free_disk_mb: Math.floor(diskFreeGiB * 1024), num_instances: runningServers, num_io_ops: ioOps },
    ...{ 'cpu_info:arch': facts.architecture ?? '', 'cpu_info:model': facts.cpuModel ?? '' },
    ...{ storage_driver: facts.storageDriver ?? '', user_namespaces: String(facts.userNamespaces ?? false) },
  }
}

/**
 * Filters that look at nothing but the host's standing and the request's shape: their verdict holds for every request
 * alike. Each gives the reason for a refusal, or null. Source: Compute admin guide, "Compute schedulers", "Filters".
 */
export const standingFilters = {
  ForcedHost: ({ name }, { forcedHost }) => (forcedHost && name !== forcedHost ? `${forcedHost} was asked for` : null),
  ComputeFilter(host, { forcedHost }) {
    if (host.forcedDown) return 'its service was forced down'
    if (!host.up) return 'its service has not been heard of lately'
    if (host.disabled && !forcedHost) return `its service is disabled (${host.disabledReason ?? 'no reason given'})`
    return null
  },
  AvailabilityZoneFilter: (host, { zone }) =>
    zone && host.zone !== zone ? `wanted ${zone}, is in ${host.zone}` : null,
  ImagePropertiesFilter: ({ facts }, { image }) => imageMismatch(facts.architecture, image.properties),
  ComputeCapabilitiesFilter(host, { flavor }) {
    const has = capabilitiesOf(host)
    for (const [key, value, own] of specsOf(flavor, 'capabilities')) {
      const found = has[key]
      if (found === undefined && !own) continue
      if (found === undefined) return `${key}: wanted ${value}, it has none`
      if (!specMatches(String(found), value)) return `${key}: wanted ${value}, is ${found}`
    }
    return null
  },
  AggregateInstanceExtraSpecsFilter(host, { flavor }) {
    for (const [key, value] of specsOf(flavor, 'aggregate_instance_extra_specs')) {
      const found = valuesOf(host, (name) => name === key)
      if (found.length === 0) return `${key}: wanted ${value}, no aggregate of it says`
      if (!found.some((each) => specMatches(each, value))) return `${key}: wanted ${value}, is ${found.join(', ')}`
    }
    return null
  },
  AggregateImagePropertiesIsolation(host, { image }) {
    for (const key of new Set(host.aggregates.flatMap(({ metadata }) => Object.keys(metadata)))) {
      const wanted = image.properties[key]
      const found = valuesOf(host, (name) => name === key)
      if (wanted !== undefined && !found.includes(wanted)) return `${key}: the image says ${wanted}, it is for ${found}`
    }
    return null
  },
  AggregateMultiTenancyIsolation(host, { projectId }) {
    const projects = valuesOf(host, (name) => name.startsWith('filter_tenant_id'))
    return projects.length > 0 && !projects.includes(projectId) ? 'it is kept for other projects' : null
  },
  AggregateTypeAffinityFilter(host, { flavor }) {
    const names = valuesOf(host, (name) => name === 'instance_type')
    return names.length > 0 && !names.includes(flavor.name) ? `it is for the flavors ${names.join(', ')}` : null
  },
} as const satisfies Record<string, Filter>

/** Those that look at what is on the host just now, or at one request's hints; `scheduler.ts` has them. */
export const momentaryFilters = [
  ...(['SameHostFilter', 'DifferentHostFilter', 'SimpleCIDRAffinityFilter', 'JsonFilter'] as const),
  ...(['ServerGroupAffinityFilter', 'ServerGroupAntiAffinityFilter'] as const),
  ...(['IoOpsFilter', 'NumInstancesFilter', 'AggregateIoOpsFilter', 'AggregateNumInstancesFilter'] as const),
] as const

/** Asked whatever the configuration says: an administrator's word is not a matter of taste. */
const always = 'ForcedHost'

export const filterNames: readonly string[] = [
  ...Object.keys(standingFilters).filter((name) => name !== always),
  ...momentaryFilters,
]

/** @throws CloudError `badRequest` that names a filter that there is not */
export function checkFilters(enabled: string): void {
  const unknown = enabled.split(',').find((name) => name.trim() !== '' && !filterNames.includes(name.trim()))
  if (unknown === undefined) return
  const text = `scheduler.enabledFilters: there is no filter ${unknown.trim()}; there are ${filterNames.join(', ')}`
  throw new CloudError('badRequest', text)
}

/** The first filter that refuses the host, in the order of what to mend first. */
export function standingRefusal(host: HostState, wanted: Wanted, enabled: ReadonlySet<string>): HostRefusal | null {
  for (const [filter, refuses] of Object.entries(standingFilters) as [string, Filter][]) {
    if (filter !== always && !enabled.has(filter)) continue
    const reason = refuses(host, wanted)
    if (reason !== null) return { host: host.name, filter, reason }
  }
  return null
}

/** The least that an aggregate of the host allows, or else the configuration. */
export function boundOf(host: HostState, key: string, configured: number, perAggregate: boolean): number {
  if (!perAggregate) return configured
  const bounds = valuesOf(host, (name) => name === key)
    .map(Number)
    .filter(Number.isFinite)
  return bounds.length > 0 ? Math.min(...bounds) : configured
}

/** The hints `build_near_host_ip` and `cidr`. */
export function nearby(host: HostState, address: string, bits: string): string | null {
  try {
    const [network, length] = ipaddr.parseCIDR(`${address}${bits.startsWith('/') ? bits : `/${bits}`}`)
    const own = ipaddr.parse(host.facts.hostIp ?? '')
    if (own.kind() === network.kind() && own.match(network, length)) return null
  } catch {
    return `${address}${bits} is no network, or it has no address`
  }
  return `its address ${host.facts.hostIp} is not in ${address}${bits}`
}
