import type { Policy } from '../../../platform/auth/policy.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { Database } from '../../../platform/db/database.ts'
import type { Hosts } from '../../../platform/hosts/hosts.ts'
import type { NetworkQuotas } from './quotas.ts'

/** What the rules of networking stand on. */
export interface Deps {
  database: Database
  clock: Clock
  nudge: (loop: string) => void
  policy: Policy
  quotas: NetworkQuotas
  hosts: Hosts
}

export const loops = {
  networks: 'network.networks',
  ports: 'network.ports',
  groups: 'network.groups',
  routers: 'network.routers',
} as const
