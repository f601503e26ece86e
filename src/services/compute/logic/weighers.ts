import type { SchedulerConfig } from '../../../platform/config.ts'
import type { HostRoom } from '../../placement/index.ts'
import type { HostState } from './host-view.ts'
import type { ServerGroup } from './server-groups.ts'

/** A host that passed the filters, with its room. */
export interface Open {
  state: HostState
  room: HostRoom
  /** Members of the wanted server's group on it. */
  there: number
}

interface Weigher {
  name: string
  /** What an aggregate of a host may call another multiplier. */
  key: string
  multiplier: number
  of: (host: Open) => number
}

/** Those that could prefer one host to another. Source: Compute admin guide, "Compute schedulers", "Weights". */
export function weighersFor(config: SchedulerConfig, group: ServerGroup | null): Weigher[] {
  const all: Weigher[] = [
    {
      name: 'RAMWeigher',
      key: 'ram_weight_multiplier',
      multiplier: config.ramWeightMultiplier,
      of: ({ room: { memory } }) => memory.capacity - memory.used,
    },
    {
      name: 'CPUWeigher',
      key: 'cpu_weight_multiplier',
      multiplier: config.cpuWeightMultiplier,
      of: ({ room: { cpu } }) => cpu.capacity - cpu.used,
    },
    {
      name: 'DiskWeigher',
      key: 'disk_weight_multiplier',
      multiplier: config.diskWeightMultiplier,
      of: ({ room: { disk } }) => disk.capacity - disk.used,
    },
    {
      ...{ name: 'IoOpsWeigher', key: 'io_ops_weight_multiplier', multiplier: config.ioOpsWeightMultiplier },
      of: ({ state }) => state.ioOps,
    },
    {
      ...{ name: 'BuildFailureWeigher', key: 'build_failure_weight_multiplier' },
      ...{ multiplier: -config.buildFailureWeightMultiplier, of: ({ state }) => state.failedBuilds },
    },
  ]
  if (group?.policy === 'soft-affinity') {
    const multiplier = config.softAffinityWeightMultiplier
    const key = 'soft_affinity_weight_multiplier'
    all.push({ name: 'ServerGroupSoftAffinityWeigher', key, multiplier, of: ({ there }) => there })
  }
  if (group?.policy === 'soft-anti-affinity') {
    const multiplier = config.softAntiAffinityWeightMultiplier
    const key = 'soft_anti_affinity_weight_multiplier'
    all.push({ name: 'ServerGroupSoftAntiAffinityWeigher', key, multiplier, of: ({ there }) => -there })
  }
  return all.filter(({ multiplier }) => multiplier !== 0)
}

export interface Weighed {
  /** By place in the list of hosts. */
  totals: Float64Array
  /** What one weigher found of one host, and what that was worth. */
  part(weigher: number, host: number): { found: number; weight: number }
}

/** Each weigher's findings are spread over 0 to 1 before its multiplier, so that megabytes do not outweigh cores. */
export function weigh(weighers: readonly Weigher[], hosts: readonly Open[], perAggregate: boolean): Weighed {
  const totals = new Float64Array(hosts.length)
  const parts = weighers.map(({ key, multiplier, of }) => {
    const found = new Float64Array(hosts.length)
    let least = Number.POSITIVE_INFINITY
    let most = Number.NEGATIVE_INFINITY
    for (let i = 0; i < hosts.length; i++) {
      const value = of(hosts[i]!)
      found[i] = value
      if (value < least) least = value
      if (value > most) most = value
    }
    const range = most - least
    const weightOf = (i: number): number => {
      if (range <= 0) return 0
      const own = perAggregate ? multiplierOf(hosts[i]!, key, multiplier) : multiplier
      return ((found[i]! - least) / range) * own
    }
    if (range > 0) for (let i = 0; i < hosts.length; i++) totals[i]! += weightOf(i)
    return { found, weightOf }
  })
  return {
    totals,
    part: (weigher, host) => ({ found: parts[weigher]!.found[host]!, weight: parts[weigher]!.weightOf(host) }),
  }
}

/** The least that the host's aggregates say, or else the configuration's. */
function multiplierOf({ state }: Open, key: string, configured: number): number {
  const said = state.aggregates.map(({ metadata }) => Number(metadata[key] ?? Number.NaN)).filter(Number.isFinite)
  return said.length > 0 ? Math.min(...said) : configured
}
