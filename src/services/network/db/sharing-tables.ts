import type { Flag } from './tables.ts'

export type ObjectType = 'network' | 'security_group' | 'subnetpool' | 'address_scope' | 'address_group' | 'qos_policy'
export type SharingAction = 'access_as_shared' | 'access_as_external'

export interface RbacPoliciesTable {
  id: string
  project_id: string
  object_type: ObjectType
  object_id: string
  action: SharingAction
  /** `*` is every project. */
  target_project: string
}

interface Named {
  id: string
  project_id: string
  name: string
  description: string
  created_at: string
  updated_at: string
  revision_number: number
}

/** Subnets of pools in one scope do not overlap, and are routed to each other without translation. */
export interface AddressScopesTable extends Named {
  ip_version: 4 | 6
}

export interface SubnetPoolsTable extends Named {
  tags: string
  ip_version: 4 | 6
  /** JSON. */
  prefixes: string
  min_prefixlen: number
  max_prefixlen: number
  default_prefixlen: number
  /** How much of it a project may have: addresses (IPv4), or networks of /64 (IPv6). */
  default_quota: number | null
  is_default: Flag
  address_scope_id: string | null
}

export interface AddressGroupsTable extends Named {
  /** JSON: CIDRs. */
  addresses: string
}

export interface QosPoliciesTable extends Named {
  tags: string
  is_default: Flag
}

export type QosRuleType = 'bandwidth_limit' | 'dscp_marking'

export interface QosRulesTable {
  id: string
  policy_id: string
  type: QosRuleType
  /** Empty for a marking rule, which is for what leaves the port. */
  direction: '' | 'ingress' | 'egress'
  max_kbps: number | null
  max_burst_kbps: number | null
  dscp_mark: number | null
}

/** What an operator said of an agent; those of whom nothing was said have no row. */
export interface AgentSettingsTable {
  id: string
  host: string
  agent_type: string
  admin_state_up: Flag
  description: string
  /** Deleted then; back as soon as its host is heard of again. */
  removed_at: string | null
}

export interface AutoTopologiesTable {
  project_id: string
  network_id: string
  router_id: string | null
}

/** Bindings to hosts where the port is not (yet): the one in force is in the port's own row. */
export interface PortBindingsTable {
  port_id: string
  host: string
  vnic_type: string
  /** JSON. */
  profile: string
}

/** Counts traffic between its project's routers (all routers, when shared) and the outside. */
export interface MeteringLabelsTable extends Named {
  shared: Flag
  packets: number
  bytes: number
}

export interface MeteringRulesTable {
  id: string
  label_id: string
  project_id: string
  direction: 'ingress' | 'egress'
  excluded: Flag
  remote_ip_prefix: string | null
  source_ip_prefix: string | null
  destination_ip_prefix: string | null
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    network_rbac_policies: RbacPoliciesTable
    network_address_scopes: AddressScopesTable
    network_subnet_pools: SubnetPoolsTable
    network_address_groups: AddressGroupsTable
    network_qos_policies: QosPoliciesTable
    network_qos_rules: QosRulesTable
    network_agent_settings: AgentSettingsTable
    network_auto_topologies: AutoTopologiesTable
    network_port_bindings: PortBindingsTable
    network_metering_labels: MeteringLabelsTable
    network_metering_rules: MeteringRulesTable
  }
}
