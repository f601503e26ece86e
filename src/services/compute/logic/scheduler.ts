import type { Trx } from '../../../platform/db/database.ts'
import type { HostRoom } from '../../placement/index.ts'
import * as groupRows from '../db/server-groups.ts'
import type * as serverRows from '../db/servers.ts'
import { countBy, type Decision, mostBest, noHost } from './decisions.ts'
import type { Deps } from './deps.ts'
import { type HostRefusal, standingRefusal, type Wanted } from './filters.ts'
import type { HostState } from './host-view.ts'
import { momentaryJudge } from './momentary-filters.ts'
import { resourcesOf } from './resources.ts'
import { byId as groupOf, type ServerGroup } from './server-groups.ts'
import { type Open, weigh, weighersFor } from './weighers.ts'

export { noValidHost } from './decisions.ts'
export type { HostRefusal } from './filters.ts'
export { defaultZone } from './host-view.ts'

/** What servers ask of their hosts, hints included. */
export interface Placing extends Wanted {
  userId: string
  resources: ReadonlyMap<string, number>
  group?: ServerGroup | null
  /** Hosts of the servers named by a hint; null when none was. */
  sameHost?: readonly string[] | null
  differentHost?: readonly string[] | null
  hints?: { query?: string; build_near_host_ip?: string; cidr?: string }
  /** Hosts that will not do for other reasons. */
  notOn?: readonly string[]
}

export interface Placed {
  /** Server → host, for those that found one, always the first ones of the list. */
  placed: Map<string, HostState>
  decisions: Map<string, Decision>
  /** When some found none: every host with what refused it. */
  refused: HostRefusal[]
}

/** Verdicts of the standing filters by the shape of the request; void with the hosts they were made of. */
interface Standing {
  passed: HostState[]
  refused: HostRefusal[]
}
const standings = new WeakMap<Deps['hostView'], { epoch: number; byShape: Map<string, Standing> }>()
const mostShapes = 500

export const enabledFilters = (deps: Deps): ReadonlySet<string> =>
  new Set(deps.ground.config.scheduler.enabledFilters.split(',').map((name) => name.trim()))

async function standing(deps: Deps, trx: Trx, wanted: Wanted): Promise<Standing> {
  const hosts = await deps.hostView.list(trx)
  let known = standings.get(deps.hostView)
  if (known?.epoch !== deps.hostView.epoch || known.byShape.size > mostShapes) {
    known = { epoch: deps.hostView.epoch, byShape: new Map() }
    standings.set(deps.hostView, known)
  }
  const { projectId, zone, forcedHost, image, flavor } = wanted
  const shape = JSON.stringify([projectId, zone, forcedHost, image.properties, flavor.name, flavor.extraSpecs])
  const found = known.byShape.get(shape)
  if (found) return found
  const enabled = enabledFilters(deps)
  const made: Standing = { passed: [], refused: [] }
  for (const host of hosts) {
    const refusal = standingRefusal(host, wanted, enabled)
    if (refusal) made.refused.push(refusal)
    else made.passed.push(host)
  }
  known.byShape.set(shape, made)
  return made
}

/** The hosts that the standing filters let pass, and the others with the first filter's reason. */
export async function candidates(
  deps: Deps,
  trx: Trx,
  asked: Pick<Wanted, 'zone' | 'forcedHost' | 'image'> & Partial<Wanted>,
): Promise<{ hosts: string[]; refused: HostRefusal[]; zones: Map<string, string> }> {
  const wanted: Wanted = { projectId: '', flavor: { name: '', extraSpecs: {} }, ...asked }
  const { passed, refused } = await standing(deps, trx, wanted)
  const zones = new Map((await deps.hostView.list(trx)).map(({ name, zone }) => [name, zone]))
  return { hosts: passed.map(({ name }) => name), refused, zones }
}

/**
 * Finds each server a host and claims its room there, in the caller's transaction: filters, then weights, then the claim,
 * which decides. Nothing is queried as a rule but by the claim itself; only when nothing seems free are the hosts' rooms
 * read anew, once.
 */
export async function schedule(deps: Deps, trx: Trx, wanted: Placing, serverIds: readonly string[]): Promise<Placed> {
  const { passed, refused } = await standing(deps, trx, wanted)
  const enabled = enabledFilters(deps)
  const judge = momentaryJudge(deps, trx, wanted, enabled)
  const weighers = weighersFor(deps.ground.config.scheduler, wanted.group ?? null)
  const result: Placed = { placed: new Map(), decisions: new Map(), refused: [] }
  const hosts = passed.length + refused.length
  const at = deps.ground.clock.now()
  let fresh = false
  for (const id of serverIds) {
    for (;;) {
      const rooms = await deps.placement.rooms(trx)
      const { open, refused: now, lacking } = judge.open(passed, rooms)
      const weighed = weigh(weighers, open, deps.hostView.hasMultipliers)
      const chosen = await choose(open, weighed.totals, judge, now)
      if (chosen === null) {
        if (!fresh) {
          await deps.placement.rooms(trx, 'fresh')
          fresh = true
          continue
        }
        result.refused = [...lacking.map((room) => lackOf(deps, room, wanted.resources)), ...now, ...refused]
        result.decisions.set(id, noHost(at, hosts, result.refused))
        return result
      }
      const { state, room } = open[chosen]!
      if (!(await deps.placement.take(trx, room, { ...wanted, id }))) continue
      state.ioOps++
      judge.placed(state.name)
      result.placed.set(id, state)
      const best = top(weighed.totals, chosen).map((i) => ({
        ...{ host: open[i]!.state.name, weight: round(weighed.totals[i]!) },
        parts: Object.fromEntries(
          weighers.map(({ name }, w) => {
            const { found, weight } = weighed.part(w, i)
            return [name, { found, weight: round(weight) }]
          }),
        ),
      }))
      const refusedBy = countBy([...refused, ...now])
      if (lacking.length > 0) refusedBy.Placement = (refusedBy.Placement ?? 0) + lacking.length
      const some = lacking.slice(0, mostBest).map((each) => lackOf(deps, each, wanted.resources))
      result.decisions.set(id, {
        ...{ at, host: state.name, hosts, open: open.length, best, refusedBy },
        refused: [...some, ...now, ...refused].slice(0, mostBest),
      })
      break
    }
  }
  return result
}

function lackOf(deps: Deps, room: HostRoom, resources: ReadonlyMap<string, number>): HostRefusal {
  const lacks = deps.placement.lacks(room, resources)
  const reason = lacks.map((r) => `${r.resourceClass}: wanted ${r.wanted}, free ${r.free} of ${r.capacity}`).join(', ')
  return { host: room.name, filter: 'Placement', reason }
}

const round = (value: number): number => Math.round(value * 1e6) / 1e6

/** The heaviest that the costlier filters let pass too; null when none is left. */
async function choose(
  open: readonly Open[],
  totals: Float64Array,
  judge: ReturnType<typeof momentaryJudge>,
  refused: HostRefusal[],
): Promise<number | null> {
  const out = new Set<number>()
  for (;;) {
    let best = -1
    for (let i = 0; i < totals.length; i++) {
      if ((best < 0 || totals[i]! > totals[best]!) && !out.has(i)) best = i
    }
    if (best < 0) return null
    const refusal = await judge.full(open[best]!.state)
    if (refusal === null) return best
    refused.push(refusal)
    out.add(best)
  }
}

/** The chosen one and the next best. */
function top(totals: Float64Array, chosen: number): number[] {
  const found = [chosen]
  while (found.length < Math.min(mostBest, totals.length)) {
    let best = -1
    for (let i = 0; i < totals.length; i++) {
      if ((best < 0 || totals[i]! > totals[best]!) && !found.includes(i)) best = i
    }
    found.push(best)
  }
  return found
}

/** What a server that is there asks of another host. */
export async function placingOf(
  trx: Trx,
  server: serverRows.Server,
  where: { zone: string | null; forcedHost: string | null; notOn?: readonly string[] },
): Promise<Placing> {
  const groupId = await groupRows.ofServer(trx, server.id)
  const group = groupId === null ? null : await groupOf(trx, groupId)
  return {
    ...where,
    ...{ projectId: server.projectId, userId: server.userId, image: server.image, flavor: server.flavor },
    resources: resourcesOf(server.flavor),
    group: group && { ...group, members: group.members.filter(({ id }) => id !== server.id) },
  }
}
