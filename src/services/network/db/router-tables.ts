import type { Flag } from './tables.ts'

interface Standard {
  id: string
  project_id: string
  description: string
  created_at: string
  updated_at: string
  revision_number: number
}

export interface RoutersTable extends Standard {
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
}

export interface FloatingIpsTable extends Standard {
  floating_network_id: string
  floating_ip_address: string
  /** Holds the address on the external network. */
  floating_port_id: string
  /** The port it leads to, with the router between; all three or none. */
  port_id: string | null
  fixed_ip_address: string | null
  router_id: string | null
  status: 'ACTIVE' | 'DOWN'
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
  }
}
