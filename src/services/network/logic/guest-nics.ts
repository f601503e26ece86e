import type { Db } from '../../../platform/db/database.ts'
import * as allocationRows from '../db/allocations.ts'
import * as networkRows from '../db/networks.ts'
import * as portRows from '../db/ports.ts'
import * as subnetRows from '../db/subnets.ts'

/** A NIC as its server is told of it. */
export interface GuestNic {
  portId: string
  networkId: string
  macAddress: string
  mtu: number
  addresses: {
    ipAddress: string
    version: 4 | 6
    /** `10.0.0.0/24` */
    cidr: string
    gateway: string | null
    dhcp: boolean
    ipv6AddressMode: string | null
    dns: string[]
    routes: { destination: string; nexthop: string }[]
  }[]
}

/** A server's NICs in their order, with all that it needs to set them up. */
export async function guestNics(db: Db, serverId: string): Promise<GuestNic[]> {
  const ports = await portRows.ofDevices(db, [serverId])
  const networkIds = [...new Set(ports.map((port) => port.network_id))]
  const [addresses, networks, subnetsOf] = await Promise.all([
    allocationRows.ofPorts(
      db,
      ports.map((port) => port.id),
    ),
    networkRows.byIds(db, networkIds),
    subnetRows.ofNetworks(db, networkIds),
  ])
  const subnets = new Map(subnetsOf.map((subnet) => [subnet.id, subnet]))
  return ports.map((port) => ({
    ...{ portId: port.id, networkId: port.network_id, macAddress: port.mac_address },
    mtu: networks.get(port.network_id)?.mtu ?? 1500,
    addresses: addresses.flatMap(({ port_id, ip_address, subnet_id }) => {
      const subnet = port_id === port.id ? subnets.get(subnet_id) : undefined
      if (!subnet) return []
      return {
        ...{ ipAddress: ip_address, version: subnet.ip_version, cidr: subnet.cidr, gateway: subnet.gateway_ip },
        ...{ dhcp: subnet.enable_dhcp === 1, ipv6AddressMode: subnet.ipv6_address_mode },
        dns: JSON.parse(subnet.dns_nameservers) as string[],
        routes: JSON.parse(subnet.host_routes) as { destination: string; nexthop: string }[],
      }
    }),
  }))
}
