import type { Policy } from '../../../platform/auth/policy.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { Database } from '../../../platform/db/database.ts'
import type { NetworkQuotas } from './quotas.ts'

/** What the rules of networking stand on. */
export interface Deps {
  database: Database
  clock: Clock
  nudge: (loop: string) => void
  policy: Policy
  quotas: NetworkQuotas
}

export const loops = {
  networks: 'network.networks',
  ports: 'network.ports',
  groups: 'network.groups',
  routers: 'network.routers',
} as const
