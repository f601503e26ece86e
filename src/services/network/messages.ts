/** What crosses the bus between network's control side and the data path on a host. Every order is the whole wish. */

export interface SubnetFacts {
  subnetId: string
  ipVersion: 4 | 6
  cidr: string
  gatewayIp: string | null
  dnsNameservers: readonly string[]
  hostRoutes: readonly { destination: string; nexthop: string }[]
  /** Those below are absent in orders kept from before there was such. */
  enableDhcp?: boolean
  ipv6RaMode?: string | null
  ipv6AddressMode?: string | null
}

/** control → host, on `host.<host>.network.network`: this host carries this network (it has ports here), or no longer. */
export interface NetworkOrder {
  networkId: string
  generation: number
  wish: 'present' | 'absent'
  projectId: string
  mtu: number
  /** VXLAN network identifier; other hosts of the network, by their tunnel address. Empty on one host. */
  vni: number
  peers: readonly string[]
  /** An external network: the host joins it itself, with the subnets' gateway addresses on its side. */
  external: boolean
  subnets: readonly SubnetFacts[]
  /** The port by which this host answers DHCP and DNS; addresses with their subnet's prefix length. Null without DHCP. */
  dhcp?: { portId: string; macAddress: string; addresses: readonly string[] } | null
}

/** control → host, on `host.<host>.network.port`. */
export interface PortOrder {
  portId: string
  generation: number
  networkId: string
  wish: 'bound' | 'absent'
  /** false cuts the port off, both ways. */
  adminStateUp: boolean
  macAddress: string
  mtu: number
  fixedIps: readonly { subnetId: string; ipAddress: string }[]
  /** Without port security nothing is filtered. */
  portSecurity: boolean
  securityGroupIds: readonly string[]
  allowedAddressPairs: readonly { ipAddress: string; macAddress: string }[]
  /** The server's first port with a gateway carries its default route. */
  defaultRoute: boolean
  /** The server's first port carries its route to the metadata service. */
  metadataRoute?: boolean
  /** Whose port it is: what the metadata service is told. */
  deviceId?: string
  projectId?: string
  /** What the port is called in the network's DNS, besides the name made of its address. Empty: nothing. */
  dnsName?: string
  /** DHCP options by name or number, besides those of the subnet. */
  extraDhcpOptions?: readonly { name: string; value: string; ipVersion: 4 | 6 }[]
  /** What its policy says: `ingress` is to the port. Absent: nothing. */
  qos?: { ingress: Rate | null; egress: Rate | null; dscpMark: number | null }
}

export interface Rate {
  kbps: number
  /** What may come at once; 0 leaves it to the host. */
  burstKbits: number
}

export interface SecurityRule {
  ruleId: string
  direction: 'ingress' | 'egress'
  ethertype: 'IPv4' | 'IPv6'
  /** An IP protocol by name or number as text; null is any. */
  protocol: string | null
  /** For ICMP: type and code. */
  portRangeMin: number | null
  portRangeMax: number | null
  remoteIpPrefix: string | null
  remoteGroupId: string | null
  /** Of a remote address group: prefixes of the rule's family, none within another. */
  remoteAddresses?: readonly string[] | null
}

/**
 * control → host, on `host.<host>.network.group`. Sent to hosts with a port in the group (they apply `rules`) and to
 * hosts with a port in a group whose rules name it (they need `members`).
 */
export interface SecurityGroupOrder {
  groupId: string
  generation: number
  wish: 'present' | 'absent'
  stateful: boolean
  rules: readonly SecurityRule[]
  /** Addresses of all ports in the group, by network: remote-group rules match only neighbours. */
  members: readonly { networkId: string; ipAddress: string }[]
}

/** A router's own end on a network: one of its ports. */
export interface RouterLink {
  portId: string
  networkId: string
  macAddress: string
  mtu: number
  adminStateUp: boolean
  /** With the subnet's prefix length: `10.0.0.1/24`. */
  addresses: readonly string[]
}

/** control → host, on `host.<host>.network.router`. */
export interface RouterOrder {
  routerId: string
  generation: number
  wish: 'present' | 'absent'
  /** false takes all of it down, and keeps the order. */
  adminStateUp: boolean
  interfaces: readonly RouterLink[]
  /** The way out: `nextHops` are the external subnets' gateways; `snat` hides what has no floating address. */
  gateway: (RouterLink & { nextHops: readonly string[]; snat: boolean }) | null
  /** One floating address for one fixed one, both ways. */
  floatingIps: readonly { floatingIpAddress: string; fixedIpAddress: string }[]
  routes: readonly { destination: string; nexthop: string }[]
  /** Ports of floating addresses, each led to one inside. Absent in orders kept from before there was such. */
  portForwardings?: readonly PortForwardingFacts[]
  /** Whose traffic is counted as what. Absent as above. */
  meters?: readonly MeterFacts[]
}

/** What one label counts of a router's traffic with the outside. */
export interface MeterFacts {
  labelId: string
  rules: readonly {
    direction: 'ingress' | 'egress'
    excluded: boolean
    remotePrefix: string | null
    sourcePrefix: string | null
    destinationPrefix: string | null
  }[]
}

/** Counted since the last reading. */
export interface MeterReading {
  labelId: string
  packets: number
  bytes: number
}

/** host → control, on `control.network.meters`, each minute and when what is counted changes. */
export interface MeterReadings {
  host: string
  readings: readonly MeterReading[]
}

/** A range of ports outside, and one of the same length (or a single port) inside. */
export interface PortForwardingFacts {
  floatingIpAddress: string
  protocol: string
  externalFirst: number
  externalLast: number
  fixedIpAddress: string
  internalFirst: number
  internalLast: number
}

/** host → control, on `control.network.report`: the order of this generation is in the kernel, or why not. */
export interface NetworkReport {
  host: string
  kind: 'network' | 'port' | 'group' | 'router'
  id: string
  generation: number
  /** port: `active` when a server's NIC is plugged, `down` when the port is known and nothing is plugged. */
  state: 'present' | 'absent' | 'active' | 'down' | 'error'
  message: string | null
}

/** host → control, on `control.network.inventory`, at start and each minute: what the machine carries. */
export interface NetworkInventory {
  host: string
  networks: readonly string[]
  ports: readonly string[]
  /** Left out by a host that knows of no routers. */
  routers?: readonly string[]
}

/** The facts of a network host's heartbeat. */
export interface NetworkFacts {
  tunnelIp: string
  networks: number
  ports: number
}

export const subjects = {
  network: (host: string) => `host.${host}.network.network`,
  port: (host: string) => `host.${host}.network.port`,
  group: (host: string) => `host.${host}.network.group`,
  router: (host: string) => `host.${host}.network.router`,
  report: 'control.network.report',
  inventory: 'control.network.inventory',
  meters: 'control.network.meters',
} as const
