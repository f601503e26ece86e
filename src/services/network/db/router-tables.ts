import type { Flag } from './tables.ts'

interface Standard {
  id: string
  project_id: string
  description: string
  created_at: string
  updated_at: string
  revision_number: number
}

/** As `Tagged` of tables.ts. */
interface Tagged {
  tags: string
}

export interface RoutersTable extends Standard, Tagged {
  name: string
  admin_state_up: Flag
  enable_snat: Flag
  /** The external network and the router's own port there; both or neither. */
  gateway_network_id: string | null
  gateway_port_id: string | null
  /** JSON, as the API writes them. */
  routes: string
  status: 'ACTIVE' | 'ERROR'
  /** Carried by this host; null until the loop has found one. */
  host: string | null
  generation: number
  seen_generation: number
  fault: string | null
  /** JSON. */
  availability_zone_hints: string
  /** 1: taken off its host by hand, and placed nowhere until somebody does. */
  unscheduled: Flag
}

export interface FloatingIpsTable extends Standard, Tagged {
  floating_network_id: string
  floating_ip_address: string
  /** Holds the address on the external network. */
  floating_port_id: string
  /** The port it leads to, with the router between; all three or none. */
  port_id: string | null
  fixed_ip_address: string | null
  router_id: string | null
  status: 'ACTIVE' | 'DOWN'
  dns_name: string
  dns_domain: string
  qos_policy_id: string | null
}

/** Ports of a floating address, each led to a port of a fixed one. A range is as long outside as inside. */
export interface PortForwardingsTable extends Standard {
  floating_ip_id: string
  internal_port_id: string
  internal_ip_address: string
  protocol: string
  external_first: number
  external_last: number
  internal_first: number
  internal_last: number
}

/** Routers deleted, until their host reports them absent. */
export interface GoneRoutersTable {
  router_id: string
  host: string
  generation: number
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    network_routers: RoutersTable
    network_floating_ips: FloatingIpsTable
    network_gone_routers: GoneRoutersTable
    network_port_forwardings: PortForwardingsTable
  }
}
