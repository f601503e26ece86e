import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as hostRows from '../db/hosts.ts'
import * as networkRows from '../db/networks.ts'
import * as subnetRows from '../db/subnets.ts'
import { loops } from '../logic/deps.ts'
import { type NetworkOrder, subjects } from '../messages.ts'
import { createSent, hostsUp, type Orders, welcomeRestarted } from './orders.ts'

/** Tells hosts which networks to carry, and which to let go. */
export function networksReconciler(orders: Orders): Reconciler {
  const sent = createSent(orders.clock)
  return {
    name: loops.networks,
    everySeconds: 15,
    async run() {
      const { database, bus } = orders
      const restarted = await welcomeRestarted(orders)
      const hosts = await hostsUp(orders)
      const opened = await openExternal(orders, hosts)
      const closed = await closeIdle(orders)
      const behind = await hostRows.unsettledNetworks(database.read, hosts)
      sent.keep(new Set(behind.map(keyOf)))
      const due = behind.filter((row) => sent.isDue(keyOf(row), row.generation))
      for (const [row, order] of await ordersFor(orders, due)) bus.publish(subjects.network(row.host), order)
      return { restarted, opened, closed, sent: due.length }
    },
  }
}

const keyOf = (row: hostRows.HostNetworkRow): string => `${row.network_id} ${row.host}`

/** A network without ports stays on a host this long: the next server there starts without waiting for it. */
const idleMs = 300_000

async function closeIdle({ database, clock }: Orders): Promise<number> {
  const idle = await hostRows.idleNetworks(database.read, clock.nowMs() - idleMs)
  for (const row of idle) await database.write((trx) => hostRows.dropIdle(trx, row.network_id, row.host))
  return idle.length
}

/** External networks are on every network host, ports or not: the machine itself stands on them. */
async function openExternal({ database }: Orders, hosts: readonly string[]): Promise<number> {
  let opened = 0
  for (const network of await hostRows.externalNetworks(database.read)) {
    for (const host of hosts) {
      if (network.hosts.has(host)) continue
      await database.write((trx) => hostRows.carryNetwork(trx, network.id, host))
      opened++
    }
  }
  return opened
}

async function ordersFor(
  { database }: Orders,
  rows: readonly hostRows.HostNetworkRow[],
): Promise<[hostRows.HostNetworkRow, NetworkOrder][]> {
  const ids = [...new Set(rows.map((row) => row.network_id))]
  const networks = await networkRows.byIds(database.read, ids)
  const subnets = Map.groupBy(await subnetRows.ofNetworks(database.read, ids), (subnet) => subnet.network_id)
  return rows.map((row) => {
    const network = networks.get(row.network_id)
    const order: NetworkOrder = {
      networkId: row.network_id,
      generation: row.generation,
      // A network deleted since has no row to read: its host only needs to know that it goes.
      wish: network ? row.wish : 'absent',
      projectId: network?.project_id ?? '',
      mtu: network?.mtu ?? 1500,
      vni: network?.segmentation_id ?? 0,
      peers: [],
      external: network?.external === 1,
      subnets: (subnets.get(row.network_id) ?? []).map((subnet) => ({
        subnetId: subnet.id,
        ipVersion: subnet.ip_version,
        cidr: subnet.cidr,
        gatewayIp: subnet.gateway_ip,
        dnsNameservers: JSON.parse(subnet.dns_nameservers) as string[],
        hostRoutes: JSON.parse(subnet.host_routes) as { destination: string; nexthop: string }[],
      })),
    }
    return [row, order]
  })
}
