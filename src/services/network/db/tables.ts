/** 0 | 1: what both engines keep of a boolean. */
export type Flag = 0 | 1

interface Standard {
  id: string
  project_id: string
  description: string
  created_at: string
  updated_at: string
  revision_number: number
}

/** Tags one to a line, between line ends: `\nred\nblue\n`; empty for none. */
interface Tagged {
  tags: string
}

export interface NetworksTable extends Standard, Tagged {
  name: string
  admin_state_up: Flag
  /** A way out for those whom a policy lets see it. */
  external: Flag
  /** The way out that is taken when none is named. */
  is_default: Flag
  mtu: number
  port_security_enabled: Flag
  network_type: string
  physical_network: string | null
  /** The number of its tunnel between hosts. */
  segmentation_id: number
  /** `vxlan:7`, `vlan:physnet:100`, `flat:physnet`, `local:<id>`: what no other network may be on. */
  segment: string | null
  status: 'ACTIVE'
  dns_domain: string
  qos_policy_id: string | null
  /** JSON. */
  availability_zone_hints: string
}

export interface SubnetsTable extends Standard, Tagged {
  network_id: string
  name: string
  ip_version: 4 | 6
  cidr: string
  gateway_ip: string | null
  enable_dhcp: Flag
  ipv6_address_mode: string | null
  ipv6_ra_mode: string | null
  /** JSON, as the API writes them. */
  allocation_pools: string
  dns_nameservers: string
  host_routes: string
  /** Whose addresses the CIDR was taken from. */
  subnetpool_id: string | null
  /** JSON: which kinds of ports get an address here without asking; empty for all. */
  service_types: string
  dns_publish_fixed_ip: Flag
}

export interface PortsTable extends Standard, Tagged {
  network_id: string
  name: string
  mac_address: string
  admin_state_up: Flag
  /** `N/A`: holds a floating address, and is plugged nowhere. */
  status: 'ACTIVE' | 'DOWN' | 'ERROR' | 'N/A'
  device_id: string
  device_owner: string
  port_security_enabled: Flag
  /** JSON. */
  allowed_address_pairs: string
  /** Bound to this host; null while unbound. */
  host: string | null
  vnic_type: string
  /** JSON. */
  binding_profile: string
  /** 1: goes with its server. */
  made_by_compute: Flag
  /** Place among its server's NICs. */
  nic_index: number
  /** What is wanted, and the last of it that the host has reported done. */
  generation: number
  seen_generation: number
  /** Why the host could not do it. */
  fault: string | null
  dns_name: string
  dns_domain: string
  /** JSON, as the API writes them. */
  extra_dhcp_opts: string
  qos_policy_id: string | null
  propagate_uplink_status: Flag
}

export interface IpAllocationsTable {
  subnet_id: string
  ip_address: string
  network_id: string
  port_id: string
  /** Distance from the subnet's first address, for gap queries; null beyond 2^53. */
  position: number | null
  /** Order among the port's addresses. */
  ordinal: number
}

export interface PortGroupsTable {
  port_id: string
  group_id: string
}

export interface SecurityGroupsTable extends Standard, Tagged {
  name: string
  stateful: Flag
  is_default: Flag
}

export interface SecurityGroupRulesTable extends Standard {
  group_id: string
  direction: 'ingress' | 'egress'
  ethertype: 'IPv4' | 'IPv6'
  protocol: string | null
  port_range_min: number | null
  port_range_max: number | null
  remote_ip_prefix: string | null
  remote_group_id: string | null
  remote_address_group_id: string | null
  /** All that makes a rule what it is, as one text: two rules of a group may not be the same. */
  fingerprint: string
}

/** What a host carries, or must let go of. No foreign key: an `absent` outlives the network until the host has done it. */
interface Carried {
  host: string
  wish: 'present' | 'absent'
  generation: number
  seen_generation: number
  fault: string | null
}
export interface HostNetworksTable extends Carried {
  network_id: string
  /** Milliseconds since 1970: when the host's last port of the network went. */
  idle_since: number | null
}
export interface HostGroupsTable extends Carried {
  group_id: string
}

/** Ports deleted or moved away, until their old host reports them absent. */
export interface GonePortsTable {
  port_id: string
  host: string
  network_id: string
  mac_address: string
  generation: number
}

/**
 * Groups whose rules or members changed. Only ever appended to by requests, so that the many ports of one group do not
 * queue up behind one row; the loop takes them away.
 */
export interface GroupChangesTable {
  id: string
  group_id: string
}

/** When a host's role began, as of the last time it was told everything. */
export interface HostStartsTable {
  host: string
  started_at: string
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    network_networks: NetworksTable
    network_subnets: SubnetsTable
    network_ports: PortsTable
    network_ip_allocations: IpAllocationsTable
    network_port_groups: PortGroupsTable
    network_security_groups: SecurityGroupsTable
    network_security_group_rules: SecurityGroupRulesTable
    network_host_networks: HostNetworksTable
    network_host_groups: HostGroupsTable
    network_gone_ports: GonePortsTable
    network_group_changes: GroupChangesTable
    network_host_starts: HostStartsTable
  }
}
