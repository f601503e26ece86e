import type { Trx } from '../../../platform/db/database.ts'
import type { HostRoom } from '../../placement/index.ts'
import * as serverRows from '../db/servers.ts'
import type { Deps } from './deps.ts'
import { boundOf, capabilitiesOf, type HostRefusal, nearby } from './filters.ts'
import { hostQuery } from './host-query.ts'
import type { HostState } from './host-view.ts'
import { traitRefusal } from './resources.ts'
import type { Placing } from './scheduler.ts'
import { refuses } from './server-groups.ts'
import type { Open } from './weighers.ts'

interface Opened {
  open: readonly Open[]
  refused: HostRefusal[]
  /** Hosts without enough room. */
  lacking: HostRoom[]
}

/** Hosts with their rooms, kept as long as both are what they were. */
const pairings = new WeakMap<ReadonlyMap<string, HostRoom>, WeakMap<readonly HostState[], Pairing>>()
interface Pairing {
  pairs: Open[]
  missing: HostRefusal[]
}

function pairsOf(passed: readonly HostState[], rooms: ReadonlyMap<string, HostRoom>): Pairing {
  const ofRooms = pairings.get(rooms) ?? new WeakMap<readonly HostState[], Pairing>()
  pairings.set(rooms, ofRooms)
  const known = ofRooms.get(passed)
  if (known) return { pairs: known.pairs, missing: [...known.missing] }
  const made: Pairing = { pairs: [], missing: [] }
  for (const state of passed) {
    const room = rooms.get(state.name)
    if (room) made.pairs.push({ state, room, there: 0 })
    else made.missing.push({ host: state.name, filter: 'Placement', reason: 'it has not told what it has' })
  }
  ofRooms.set(passed, made)
  return { pairs: made.pairs, missing: [...made.missing] }
}

/** The filters that look at this very request and moment, in two rounds: cheap ones for all hosts, then for the best. */
export function momentaryJudge(deps: Deps, trx: Trx, wanted: Placing, enabled: ReadonlySet<string>) {
  const { group = null, sameHost, differentHost, hints = {}, notOn, resources } = wanted
  const holding = new Map<string, number>()
  const mine = new Map<string, number>()
  for (const { host } of group?.members ?? []) if (host !== null) holding.set(host, (holding.get(host) ?? 0) + 1)
  const query = hints.query === undefined || !enabled.has('JsonFilter') ? null : hostQuery(hints.query)
  const near = enabled.has('SimpleCIDRAffinityFilter') ? hints.build_near_host_ip : undefined
  const traits = traitRefusal(wanted)
  const plain = !group && !sameHost && !differentHost && !query && near === undefined && !notOn && !traits
  const groupFilter = group?.policy.endsWith('anti-affinity')
    ? 'ServerGroupAntiAffinityFilter'
    : 'ServerGroupAffinityFilter'
  const fits = roomFor(resources)
  const { maxIoOpsPerHost, maxInstancesPerHost } = deps.ground.config.scheduler

  const hinted = (state: HostState, room: HostRoom, members: number): [filter: string, reason: string] | null => {
    const there = holding.get(state.name) ?? 0
    if (notOn?.includes(state.name)) return ['NotOn', 'the server is on it']
    if (sameHost && enabled.has('SameHostFilter') && !sameHost.includes(state.name)) {
      return ['SameHostFilter', 'no server of the hint same_host is on it']
    }
    if (enabled.has('DifferentHostFilter') && differentHost?.includes(state.name)) {
      return ['DifferentHostFilter', 'a server of the hint different_host is on it']
    }
    const trait = traits?.(room)
    if (trait) return ['Placement', trait]
    const reason = group && enabled.has(groupFilter) ? refuses(group, there, members - there) : null
    if (reason) return [groupFilter, reason]
    if (near !== undefined) {
      const far = nearby(state, near, hints.cidr ?? '/24')
      if (far) return ['SimpleCIDRAffinityFilter', far]
    }
    if (query && !query({ ...capabilitiesOf(state), ...figures(room) })) return ['JsonFilter', 'the query says no']
    return null
  }

  return {
    open(passed: readonly HostState[], rooms: ReadonlyMap<string, HostRoom>): Opened {
      const { pairs, missing } = pairsOf(passed, rooms)
      // As a rule every host will do: then nothing is made anew for a thousand of them.
      if (plain && pairs.every(({ room }) => fits(room))) return { open: pairs, refused: missing, lacking: [] }
      const open: Open[] = []
      const lacking: HostRoom[] = []
      const refused = [...missing]
      const members = [...holding.values()].reduce((sum, count) => sum + count, 0)
      for (const pair of pairs) {
        const { state, room } = pair
        const host = state.name
        const refusal = plain ? null : hinted(state, room, members)
        if (refusal) refused.push({ host, filter: refusal[0], reason: refusal[1] })
        else if (!fits(room)) lacking.push(room)
        else open.push(group ? { state, room, there: holding.get(host) ?? 0 } : pair)
      }
      return { open, refused, lacking }
    },
    async full(state: HostState): Promise<HostRefusal | null> {
      const io = enabled.has('AggregateIoOpsFilter')
      if (io || enabled.has('IoOpsFilter')) {
        const most = boundOf(state, 'max_io_ops_per_host', maxIoOpsPerHost, io)
        const filter = io ? 'AggregateIoOpsFilter' : 'IoOpsFilter'
        if (state.ioOps >= most) return { host: state.name, filter, reason: `${state.ioOps} under way of ${most}` }
      }
      const perAggregate = enabled.has('AggregateNumInstancesFilter')
      if (perAggregate || enabled.has('NumInstancesFilter')) {
        const most = boundOf(state, 'max_instances_per_host', maxInstancesPerHost, perAggregate)
        const there = (await serverRows.countOn(trx, state.name)) + (mine.get(state.name) ?? 0)
        const filter = perAggregate ? 'AggregateNumInstancesFilter' : 'NumInstancesFilter'
        if (there >= most) return { host: state.name, filter, reason: `${there} servers of ${most}` }
      }
      return null
    },
    placed(host: string) {
      holding.set(host, (holding.get(host) ?? 0) + 1)
      mine.set(host, (mine.get(host) ?? 0) + 1)
    },
  }
}

/** This is asked of every host for every server, so the usual classes are not looked up. */
function roomFor(resources: ReadonlyMap<string, number>): (room: HostRoom) => boolean {
  const [cpus = 0, memoryMiB = 0, diskGiB = 0] = usual.map((name) => resources.get(name))
  const others = [...resources].filter(([name, wanted]) => wanted > 0 && !usual.includes(name))
  return ({ cpu, memory, disk, rooms }) => {
    if (cpus > 0 && cpu.used + cpus > cpu.capacity) return false
    if (memoryMiB > 0 && memory.used + memoryMiB > memory.capacity) return false
    if (diskGiB > 0 && disk.used + diskGiB > disk.capacity) return false
    return others.every(([name, wanted]) => {
      const room = rooms.get(name)
      return room !== undefined && room.used + wanted <= room.capacity
    })
  }
}
const usual = ['VCPU', 'MEMORY_MB', 'DISK_GB']

/** What the hint `query` may ask of the room that is left. */
function figures({ rooms }: HostRoom): Record<string, number> {
  const free = (name: string) => {
    const room = rooms.get(name)
    return room ? room.capacity - room.used : 0
  }
  return {
    ...{ free_ram_mb: free('MEMORY_MB'), free_disk_mb: free('DISK_GB') * 1024 },
    ...{ vcpus_total: rooms.get('VCPU')?.capacity ?? 0, vcpus_used: rooms.get('VCPU')?.used ?? 0 },
  }
}
