import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as allocationRows from '../db/allocations.ts'
import * as dhcpRows from '../db/dhcp-ports.ts'
import * as hostRows from '../db/hosts.ts'
import * as networkRows from '../db/networks.ts'
import * as subnetRows from '../db/subnets.ts'
import { loops } from '../logic/deps.ts'
import { dhcpDeviceOf, ensureDhcpPort } from '../logic/dhcp-ports.ts'
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
      for (const row of due) await settleDhcpPort(orders, row)
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

/** The order that goes to the host now says which addresses its DHCP has. */
async function settleDhcpPort({ database, clock }: Orders, row: hostRows.HostNetworkRow): Promise<void> {
  const { network_id: networkId, host, wish } = row
  const deviceId = dhcpDeviceOf(host, networkId)
  const [known] = (await dhcpRows.ofNetworks(database.read, [networkId])).filter((port) => port.device_id === deviceId)
  if (wish === 'absent') {
    if (known) await database.write((trx) => dhcpRows.remove(trx, networkId, deviceId))
    return
  }
  const subnets = (await subnetRows.ofNetworks(database.read, [networkId])).filter((subnet) => subnet.enable_dhcp === 1)
  const held = known ? await allocationRows.ofPorts(database.read, [known.id]) : []
  const isRight =
    subnets.length === held.length && held.every((one) => subnets.some((subnet) => subnet.id === one.subnet_id))
  if (isRight && (known !== undefined || subnets.length === 0)) return
  await database.write((trx) => ensureDhcpPort(trx, { clock }, networkId, host))
}

async function ordersFor(
  { database, hosts }: Orders,
  rows: readonly hostRows.HostNetworkRow[],
): Promise<[hostRows.HostNetworkRow, NetworkOrder][]> {
  const ids = [...new Set(rows.map((row) => row.network_id))]
  const networks = await networkRows.byIds(database.read, ids)
  const subnets = Map.groupBy(await subnetRows.ofNetworks(database.read, ids), (subnet) => subnet.network_id)
  const dhcpPorts = new Map((await dhcpRows.ofNetworks(database.read, ids)).map((port) => [port.device_id, port]))
  const portIds = [...dhcpPorts.values()].map((port) => port.id)
  const held = Map.groupBy(await allocationRows.ofPorts(database.read, portIds), (one) => one.port_id)
  const carriers = await hostRows.hostsOf(database.read, ids)
  const tunnels = new Map((await hosts.list('network')).map(({ name, facts }) => [name, facts.tunnelIp]))
  return rows.map((row) => {
    const network = networks.get(row.network_id)
    const dhcpPort = dhcpPorts.get(dhcpDeviceOf(row.host, row.network_id))
    const prefixOf = (subnetId: string) =>
      subnets
        .get(row.network_id)
        ?.find((subnet) => subnet.id === subnetId)
        ?.cidr.split('/')[1]
    const others = (carriers.get(row.network_id) ?? []).filter((host) => host !== row.host)
    const order: NetworkOrder = {
      networkId: row.network_id,
      generation: row.generation,
      // A network deleted since has no row to read: its host only needs to know that it goes.
      wish: network ? row.wish : 'absent',
      projectId: network?.project_id ?? '',
      mtu: network?.mtu ?? 1500,
      vni: network?.segmentation_id ?? 0,
      peers: [
        ...new Set(others.flatMap((host) => (typeof tunnels.get(host) === 'string' ? String(tunnels.get(host)) : []))),
      ],
      external: network?.external === 1,
      subnets: (subnets.get(row.network_id) ?? []).map((subnet) => ({
        subnetId: subnet.id,
        ipVersion: subnet.ip_version,
        cidr: subnet.cidr,
        gatewayIp: subnet.gateway_ip,
        dnsNameservers: JSON.parse(subnet.dns_nameservers) as string[],
        hostRoutes: JSON.parse(subnet.host_routes) as { destination: string; nexthop: string }[],
        enableDhcp: subnet.enable_dhcp === 1,
        ipv6RaMode: subnet.ipv6_ra_mode,
        ipv6AddressMode: subnet.ipv6_address_mode,
      })),
      dhcp: dhcpPort
        ? {
            portId: dhcpPort.id,
            macAddress: dhcpPort.mac_address,
            addresses: (held.get(dhcpPort.id) ?? []).map((one) => `${one.ip_address}/${prefixOf(one.subnet_id)}`),
          }
        : null,
    }
    return [row, order]
  })
}
