import type { Trx } from '../../../platform/db/database.ts'
import type { Refusal } from '../../placement/index.ts'
import type { Deps } from './deps.ts'
import type { HostRefusal } from './scheduler.ts'
import { refuses, type ServerGroup } from './server-groups.ts'

export interface Claims {
  placed: Map<string, string>
  refusals: Refusal[]
  refused: HostRefusal[]
}

type Claim = Omit<Parameters<Deps['placement']['claim']>[1], 'consumerIds' | 'candidates'>

/**
 * Claims hosts for servers of a group one after the other, since each changes what the policy says of the next. The
 * soft policies only prefer: when nothing preferred has room, any host will do. A set of servers that are to be
 * together tries host after host.
 */
export async function claimForGroup(
  deps: Deps,
  trx: Trx,
  group: ServerGroup,
  serverIds: readonly string[],
  hosts: readonly string[],
  claim: Claim,
): Promise<Claims> {
  const holding = new Map<string, number>()
  for (const { host } of group.members) if (host !== null) holding.set(host, (holding.get(host) ?? 0) + 1)
  const result: Claims = { placed: new Map(), refusals: [], refused: [] }
  const filter = group.policy.endsWith('anti-affinity') ? 'ServerGroupAntiAffinityFilter' : 'ServerGroupAffinityFilter'
  for (const serverId of serverIds) {
    const all = [...holding.values()].reduce((sum, count) => sum + count, 0)
    const judged = hosts.map((host) => {
      const there = holding.get(host) ?? 0
      return { host, there, reason: refuses(group, there, all - there) }
    })
    const open = judged.filter(({ reason }) => reason === null)
    let found: { placed: Map<string, string>; refusals: Refusal[] } = { placed: new Map(), refusals: [] }
    for (const candidates of preferred(group.policy, open)) {
      found = await deps.placement.claim(trx, { ...claim, consumerIds: [serverId], candidates })
      if (found.placed.has(serverId)) break
    }
    const host = found.placed.get(serverId)
    if (host === undefined) {
      result.refusals = found.refusals
      result.refused = judged.flatMap(({ host, reason }) => (reason === null ? [] : [{ host, filter, reason }]))
      break
    }
    holding.set(host, (holding.get(host) ?? 0) + 1)
    result.placed.set(serverId, host)
  }
  return result
}

/** Sets of hosts to be tried in turn. */
function preferred(policy: ServerGroup['policy'], open: readonly { host: string; there: number }[]): string[][] {
  const names = open.map(({ host }) => host)
  if (policy !== 'soft-affinity' && policy !== 'soft-anti-affinity') return [names]
  const byCount = Map.groupBy(open, ({ there }) => there)
  const counts = [...byCount.keys()].sort((a, b) => (policy === 'soft-affinity' ? b - a : a - b))
  return [...counts.map((count) => byCount.get(count)!.map(({ host }) => host)), names]
}
