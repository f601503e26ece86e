import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as addressGroupRows from '../db/address-groups.ts'
import * as groupRows from '../db/security-groups.ts'
import * as unsettled from '../db/unsettled.ts'
import { loops } from '../logic/deps.ts'
import type { AddressPair } from '../logic/port-security.ts'
import { compacted } from '../logic/prefixes.ts'
import { type SecurityGroupOrder, type SecurityRule, subjects } from '../messages.ts'
import { createSent, hostsUp, type Orders } from './orders.ts'

/** Changes taken up in one round; what is left is the next one's. */
const changesAtOnce = 2000

/** Tells hosts about the security groups they need: rules for their own ports, members for the rules that name them. */
export function groupsReconciler(orders: Orders): Reconciler {
  const sent = createSent(orders.clock)
  return {
    name: loops.groups,
    everySeconds: 15,
    async run() {
      const { database, bus } = orders
      const changes = await unsettled.groupChanges(database.read, changesAtOnce)
      for (const [groupId, ids] of changes) await database.write((trx) => unsettled.passOn(trx, groupId, ids))
      const behind = await unsettled.groups(database.read, await hostsUp(orders))
      sent.keep(new Set(behind.map(keyOf)))
      const due = behind.filter((row) => sent.isDue(keyOf(row), row.generation))
      for (const [row, order] of await ordersFor(orders, due)) bus.publish(subjects.group(row.host), order)
      return { changes: changes.size, sent: due.length }
    },
  }
}

const keyOf = (row: unsettled.HostGroupRow): string => `${row.group_id} ${row.host}`

async function ordersFor(
  { database }: Orders,
  rows: readonly unsettled.HostGroupRow[],
): Promise<[unsettled.HostGroupRow, SecurityGroupOrder][]> {
  const ids = [...new Set(rows.map((row) => row.group_id))]
  const groups = await groupRows.byIds(database.read, ids)
  const rules = Map.groupBy(await groupRows.rulesOf(database.read, ids), (rule) => rule.group_id)
  const groupIds = [...rules.values()].flat().flatMap((rule) => rule.remote_address_group_id ?? [])
  const addressGroups = await addressGroupRows.byIds(database.read, [...new Set(groupIds)])
  const members = Map.groupBy(await unsettled.members(database.read, ids), (member) => member.group_id)
  return rows.map((row) => {
    const group = groups.get(row.group_id)
    const order: SecurityGroupOrder = {
      groupId: row.group_id,
      generation: row.generation,
      wish: group ? row.wish : 'absent',
      stateful: group?.stateful !== 0,
      rules: (rules.get(row.group_id) ?? []).map((rule) => ruleOf(rule, addressGroups)),
      members: membersOf(members.get(row.group_id) ?? []),
    }
    return [row, order]
  })
}

const ruleOf = (
  row: groupRows.RuleRow,
  addressGroups: ReadonlyMap<string, addressGroupRows.AddressGroupRow>,
): SecurityRule => ({
  ruleId: row.id,
  direction: row.direction,
  ethertype: row.ethertype,
  protocol: row.protocol,
  portRangeMin: row.port_range_min,
  portRangeMax: row.port_range_max,
  remoteIpPrefix: row.remote_ip_prefix,
  remoteGroupId: row.remote_group_id,
  ...(row.remote_address_group_id !== null && {
    remoteAddresses: addressesOf(row, addressGroups.get(row.remote_address_group_id)),
  }),
})

/** Those of the rule's family, none within another: as sets of the kernel want them. */
function addressesOf({ ethertype }: groupRows.RuleRow, group: addressGroupRows.AddressGroupRow | undefined): string[] {
  const all = JSON.parse(group?.addresses ?? '[]') as string[]
  return compacted(all.filter((address) => address.includes(':') === (ethertype === 'IPv6')))
}

/** Each once: a port's address may also be one of its pairs. */
function membersOf(rows: Awaited<ReturnType<typeof unsettled.members>>): SecurityGroupOrder['members'] {
  const found = new Map<string, SecurityGroupOrder['members'][number]>()
  const add = (networkId: string, ipAddress: string) => found.set(`${networkId} ${ipAddress}`, { networkId, ipAddress })
  for (const row of rows) {
    add(row.network_id, row.ip_address)
    if (row.pairs === '[]') continue
    for (const pair of JSON.parse(row.pairs) as AddressPair[]) add(row.network_id, pair.ip_address)
  }
  return [...found.values()]
}
