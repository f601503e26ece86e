import type { Counter } from '../../../platform/quota/counters.ts'

const ofServers = (resource: string, amount: string): Counter => ({
  service: 'compute',
  resource,
  table: 'compute_servers',
  holder: 'project_id',
  // A deleted server's row stays; one in ERROR or shelved counts, as upstream.
  amount: `case when row.deleted = 0 then ${amount} else 0 end`,
})

/** What the migration of quotas counts, and so for ever this. */
export const firstCounters: readonly Counter[] = [
  ofServers('servers', '1'),
  ofServers('class:VCPU', 'row.vcpus'),
  ofServers('class:MEMORY_MB', 'row.memory_mib'),
  // A user's, of whatever project.
  { service: 'compute', resource: 'server_key_pairs', table: 'compute_keypairs', holder: 'user_id', amount: '1' },
  { service: 'compute', resource: 'server_groups', table: 'compute_server_groups', holder: 'project_id', amount: '1' },
]

/** All of them. A later one is added here, and counted by a migration of its own: `countRows(db, [that])`. */
export const counters: readonly Counter[] = [...firstCounters]
