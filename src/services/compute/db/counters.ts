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

/** From the migration of soft deletion on: what can be restored takes nothing of the quota, as upstream. */
const kept = (amount: string) => `case when row.vm_state = 'soft-delete' then 0 else ${amount} end`
export const restorableCounters: readonly Counter[] = [
  ofServers('servers', kept('1')),
  ofServers('class:VCPU', kept('row.vcpus')),
  ofServers('class:MEMORY_MB', kept('row.memory_mib')),
]

/** All of them. A later one is added here, and counted by a migration of its own: `countRows(db, [that])`. */
export const counters: readonly Counter[] = [
  ...restorableCounters,
  ...firstCounters.filter((one) => !restorableCounters.some(({ resource }) => resource === one.resource)),
]
