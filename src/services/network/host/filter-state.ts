import { deleteFlows, type Flow, listFlows } from '../../../machine/net/flows.ts'
import { applyNft, type Fragment, nftChanges } from '../../../machine/net/nft.ts'
import type { PortOrder, SecurityGroupOrder } from '../messages.ts'
import {
  emptyTables,
  groupFragment,
  groupsFragment,
  groupsKey,
  linkLocalOf,
  memberFragment,
  portFragment,
  redirectFragment,
} from './filters.ts'
import type { Orders } from './orders.ts'
import { inRange, ruleAllows } from './rules.ts'

/** The rules of one network's namespace, kept in step with the orders. */
export interface FilterState {
  /** Puts the wish for `ports` into the kernel in one transaction, and ends the flows that it does not allow any more. */
  apply(ports: readonly PortOrder[]): Promise<void>
  /** Whether a change of this group may change anything here. */
  uses(groupId: string): boolean
  /** Which neighbour takes what is sent to the metadata service, whatever gateway it was meant for. With the next `apply`. */
  redirectTo(macAddress: string): void
  /** The namespace is new, or of unknown content: next time everything is written afresh. */
  forget(): void
}

export function filtersOf(networkId: string, namespace: string, orders: Orders): FilterState {
  /** Null: what the kernel holds is not known. */
  let inKernel: Map<string, Fragment> | null = null
  let used = new Set<string>()
  let addresses = new Map<string, readonly string[]>()
  const marks = new Map<string, number>()
  let nextMark = 1
  const remembered = memory()
  let redirect = redirectFragment(null)

  function fragmentsOf(ports: readonly PortOrder[]): Map<string, Fragment> {
    const groupIds = new Set(ports.filter((p) => p.portSecurity).flatMap((p) => p.securityGroupIds))
    const remoteIds = new Set(
      [...groupIds].flatMap((id) => orders.groups.get(id)?.rules.flatMap((rule) => rule.remoteGroupId ?? []) ?? []),
    )
    used = groupIds.union(remoteIds)
    const fragments = new Map<string, Fragment>([['redirect', redirect]])
    for (const id of remoteIds) {
      const group = orders.groups.get(id)
      fragments.set(
        `m-${id}`,
        remembered(`m-${id}`, [group], () => memberFragment(id, networkId, group)),
      )
    }
    for (const id of groupIds) {
      const group = orders.groups.get(id)
      const named = group?.rules.flatMap((rule) => orders.groups.get(rule.remoteGroupId ?? '') ?? []) ?? []
      const fragment = remembered(`g-${id}`, [group, ...named], () => groupFragment(id, networkId, orders.groups))
      fragments.set(`g-${id}`, fragment)
    }
    for (const port of ports) {
      let mark = marks.get(port.portId)
      if (mark === undefined) {
        mark = nextMark++
        marks.set(port.portId, mark)
      }
      const [number, stateful] = [mark, isStateful(port, orders.groups)]
      const groups = groupsKey(port, stateful)
      if (port.portSecurity && !fragments.has(`s-${groups}`)) {
        const make = () => groupsFragment(groups, port.securityGroupIds, stateful)
        fragments.set(`s-${groups}`, remembered(`s-${groups}`, [], make))
      }
      const key = `p-${port.portId}`
      fragments.set(
        key,
        remembered(key, [port, groups], () => portFragment(port, number, groups)),
      )
    }
    remembered.keep(fragments)
    return fragments
  }

  return {
    async apply(ports) {
      const wanted = fragmentsOf(ports)
      const before = inKernel
      const changes = nftChanges(before ?? new Map(), wanted)
      if (before === null || changes.length > 0) {
        inKernel = null // unless it succeeds
        await applyNft(namespace, `${before === null ? emptyTables : ''}${changes.join('\n')}\n`)
        inKernel = wanted
      }
      const narrowed = before === null || [...before].some(([key, fragment]) => wanted.get(key) !== fragment)
      if (narrowed) await endForbiddenFlows(namespace, ports, addresses, orders.groups, networkId)
      addresses = new Map(ports.map((port) => [port.portId, addressesOf(port)]))
      const known = new Set(ports.map((port) => port.portId))
      for (const id of marks.keys()) if (!known.has(id)) marks.delete(id)
    },
    uses: (groupId) => used.has(groupId),
    redirectTo(macAddress) {
      redirect = redirectFragment(macAddress)
    },
    forget() {
      inKernel = null
    },
  }
}

/** One group of a port being stateless makes the port so; upstream refuses to mix them. */
const isStateful = (port: PortOrder, groups: ReadonlyMap<string, SecurityGroupOrder>): boolean =>
  port.securityGroupIds.every((id) => groups.get(id)?.stateful !== false)

/** Keeps what was made of something as long as that stays the same, so that a round costs what has changed. */
function memory() {
  const made = new Map<string, { from: readonly unknown[]; fragment: Fragment }>()
  const remembered = (key: string, from: readonly unknown[], make: () => Fragment): Fragment => {
    const old = made.get(key)
    if (old && old.from.length === from.length && old.from.every((value, i) => value === from[i])) return old.fragment
    const fragment = make()
    made.set(key, { from, fragment })
    return fragment
  }
  remembered.keep = (wanted: ReadonlyMap<string, Fragment>) => {
    for (const key of made.keys()) if (!wanted.has(key)) made.delete(key)
  }
  return remembered
}

/**
 * What the kernel follows goes on whatever the rules say; so after a change every flow of the network is judged again,
 * and those not allowed any more are forgotten. With `nf_conntrack_tcp_loose` off, a TCP flow cannot come back from
 * its middle. `before` are the addresses of the round before: a port that lost one loses its flows.
 */
async function endForbiddenFlows(
  namespace: string,
  ports: readonly PortOrder[],
  before: ReadonlyMap<string, readonly string[]>,
  groups: ReadonlyMap<string, SecurityGroupOrder>,
  networkId: string,
): Promise<void> {
  const owners = new Map<string, PortOrder>()
  for (const port of ports) for (const address of addressesOf(port)) owners.set(address, port)
  const lost = new Set([...before.values()].flat().filter((address) => !owners.has(address)))
  const isMember = (groupId: string, address: string) =>
    (groups.get(groupId)?.members ?? []).some((m) => m.networkId === networkId && inRange(address, m.ipAddress))

  const permits = (port: PortOrder | undefined, direction: 'ingress' | 'egress', flow: Flow): boolean => {
    if (!port) return true
    if (!port.adminStateUp) return false
    if (!port.portSecurity) return true
    if (isControl(flow)) return true
    const rules = port.securityGroupIds.flatMap((id) => groups.get(id)?.rules ?? [])
    return rules.some((rule) => ruleAllows(rule, direction, flow, isMember))
  }
  const forbidden = (await listFlows(namespace)).filter((flow) => {
    if (lost.has(flow.source) || lost.has(flow.destination)) return true
    return !permits(owners.get(flow.source), 'egress', flow) || !permits(owners.get(flow.destination), 'ingress', flow)
  })
  await deleteFlows(namespace, forbidden)
}

/** As conntrack writes them. */
const addressesOf = (port: PortOrder): string[] => [
  ...port.fixedIps.map(({ ipAddress }) => ipAddress),
  ...port.allowedAddressPairs.map(({ ipAddress }) => ipAddress),
  linkLocalOf(port.macAddress),
]

/** DHCP, which passes without a rule. */
const isControl = ({ protocol, sourcePort, destinationPort }: Flow): boolean =>
  protocol === 17 && ['68>67', '67>68', '546>547', '547>546'].includes(`${sourcePort}>${destinationPort}`)
