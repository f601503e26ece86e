import type { Db } from '../../../platform/db/database.ts'
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import { disabledHosts } from '../db/agent-settings.ts'
import * as allocationRows from '../db/allocations.ts'
import * as floatingRows from '../db/floating-ips.ts'
import * as hostRows from '../db/hosts.ts'
import * as meterRows from '../db/metering.ts'
import * as networkRows from '../db/networks.ts'
import * as forwardingRows from '../db/port-forwardings.ts'
import type { PortRow } from '../db/ports.ts'
import * as routerRows from '../db/routers.ts'
import * as subnetRows from '../db/subnets.ts'
import { l3Agent } from '../logic/agents.ts'
import { loops } from '../logic/deps.ts'
import { type MeterFacts, type RouterLink, type RouterOrder, subjects } from '../messages.ts'
import { createSent, hostsUp, type Orders } from './orders.ts'

/** Routers placed and ordered in one round; what is left is the next one's. */
const batch = 500

/** Finds each router a host, and tells the host about it. */
export function routersReconciler(orders: Orders): Reconciler {
  const sent = createSent(orders.clock)
  return {
    name: loops.routers,
    everySeconds: 15,
    async run() {
      const { database, bus } = orders
      const hosts = await hostsUp(orders)
      const placed = await place(orders, hosts)
      const behind = await routerRows.unsettled(database.read, hosts, batch)
      const going = await routerRows.gone(database.read, hosts)
      const keys = behind.map((row) => keyOf(row.id, row.host))
      const goneKeys = going.map((row) => `gone ${keyOf(row.router_id, row.host)}`)
      sent.keep(new Set([...keys, ...goneKeys]))
      const due = behind.filter((row, i) => sent.isDue(keys[i]!, row.generation))
      for (const [host, order] of await ordersFor(database.read, due)) bus.publish(subjects.router(host), order)
      const dueGone = going.filter((row, i) => sent.isDue(goneKeys[i]!, row.generation))
      for (const row of dueGone) bus.publish(subjects.router(row.host), absence(row.router_id, row.generation))
      return { placed, sent: due.length + dueGone.length }
    },
  }
}

const keyOf = (id: string, host: string | null): string => `${id} ${host}`

/** Each new router goes to the host that has the fewest, which is to carry the router's networks from now on. */
async function place({ database, nudge }: Orders, hosts: readonly string[]): Promise<number> {
  if (hosts.length === 0) return 0
  const homeless = await routerRows.unplaced(database.read, batch)
  if (homeless.length === 0) return 0
  const load = await routerRows.perHost(database.read)
  const disabled = await disabledHosts(database.read, l3Agent)
  const able = hosts.filter((host) => !disabled.has(host))
  if (able.length === 0) return 0
  for (const { id } of homeless) {
    const host = able.reduce((best, one) => ((load.get(one) ?? 0) < (load.get(best) ?? 0) ? one : best))
    load.set(host, (load.get(host) ?? 0) + 1)
    await database.write(async (trx) => {
      const router = await routerRows.find(trx, id)
      if (!router || router.host !== null) return
      await routerRows.place(trx, id, host)
      for (const port of await routerRows.portsOf(trx, [id])) await hostRows.carryNetwork(trx, port.network_id, host)
    })
  }
  nudge(loops.networks)
  return homeless.length
}

export const absence = (routerId: string, generation: number): RouterOrder => ({
  routerId,
  generation,
  wish: 'absent',
  adminStateUp: false,
  interfaces: [],
  gateway: null,
  floatingIps: [],
  routes: [],
})

async function ordersFor(db: Db, rows: readonly routerRows.RouterRow[]): Promise<[string, RouterOrder][]> {
  const ids = rows.map((row) => row.id)
  const all = await routerRows.portsOf(db, ids)
  const ports = Map.groupBy(all, (port) => port.device_id)
  const networkIds = [...new Set(all.map((port) => port.network_id))]
  const networks = await networkRows.byIds(db, networkIds)
  const subnets = new Map((await subnetRows.ofNetworks(db, networkIds)).map((subnet) => [subnet.id, subnet]))
  const held = Map.groupBy(
    await allocationRows.ofPorts(
      db,
      all.map((port) => port.id),
    ),
    (row) => row.port_id,
  )
  const floatingAll = await floatingRows.ofRouters(db, ids)
  const floating = Map.groupBy(floatingAll, (row) => row.router_id)
  const forwardings = Map.groupBy(
    await forwardingRows.ofFloatingIps(
      db,
      floatingAll.map((row) => row.id),
    ),
    (row) => row.floating_ip_id,
  )

  const linkOf = (port: PortRow): RouterLink => ({
    portId: port.id,
    networkId: port.network_id,
    macAddress: port.mac_address,
    mtu: networks.get(port.network_id)?.mtu ?? 1500,
    adminStateUp: port.admin_state_up === 1 && networks.get(port.network_id)?.admin_state_up === 1,
    addresses: (held.get(port.id) ?? []).map(
      (row) => `${row.ip_address}/${subnets.get(row.subnet_id)?.cidr.split('/')[1]}`,
    ),
  })
  const nextHopsOf = (port: PortRow): string[] => {
    const gateways = (held.get(port.id) ?? []).flatMap((row) => subnets.get(row.subnet_id)?.gateway_ip ?? [])
    // One way out a version.
    const first = (six: boolean) => gateways.filter((address) => address.includes(':') === six).slice(0, 1)
    return [...first(false), ...first(true)]
  }
  const labels = await meterRows.ofProjects(db, [...new Set(rows.map((row) => row.project_id))])
  const meterRules = Map.groupBy(
    await meterRows.rulesOf(
      db,
      labels.map((label) => label.id),
    ),
    (rule) => rule.label_id,
  )
  const metersOf = (row: routerRows.RouterRow): MeterFacts[] =>
    labels
      .filter((label) => label.shared === 1 || label.project_id === row.project_id)
      .map((label) => ({ labelId: label.id, rules: (meterRules.get(label.id) ?? []).map(meterRuleOf) }))
      .filter(({ rules }) => rules.length > 0)
  return rows.map((row) => {
    const own = ports.get(row.id) ?? []
    const gateway = own.find((port) => port.id === row.gateway_port_id)
    const order: RouterOrder = {
      routerId: row.id,
      generation: row.generation,
      wish: 'present',
      adminStateUp: row.admin_state_up === 1,
      interfaces: own.filter((port) => port.device_owner === routerRows.interfaceOwner).map(linkOf),
      gateway: gateway ? { ...linkOf(gateway), nextHops: nextHopsOf(gateway), snat: row.enable_snat === 1 } : null,
      floatingIps: (floating.get(row.id) ?? []).flatMap((one) =>
        one.fixed_ip_address === null
          ? []
          : [{ floatingIpAddress: one.floating_ip_address, fixedIpAddress: one.fixed_ip_address }],
      ),
      portForwardings: (floating.get(row.id) ?? []).flatMap((one) =>
        (forwardings.get(one.id) ?? []).map((rule) => ({
          floatingIpAddress: one.floating_ip_address,
          protocol: rule.protocol,
          ...{ externalFirst: rule.external_first, externalLast: rule.external_last },
          fixedIpAddress: rule.internal_ip_address,
          ...{ internalFirst: rule.internal_first, internalLast: rule.internal_last },
        })),
      ),
      meters: metersOf(row),
      routes: JSON.parse(row.routes) as { destination: string; nexthop: string }[],
    }
    return [row.host ?? '', order]
  })
}

const meterRuleOf = (row: meterRows.MeteringRuleRow): MeterFacts['rules'][number] => ({
  direction: row.direction,
  excluded: row.excluded === 1,
  remotePrefix: row.remote_ip_prefix,
  sourcePrefix: row.source_ip_prefix,
  destinationPrefix: row.destination_ip_prefix,
})
