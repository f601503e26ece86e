import type { Counter } from '../../../platform/quota/counters.ts'

const rowsOf = (table: string, resource: string): Counter => ({
  service: 'network',
  resource,
  table: `network_${table}`,
  holder: 'project_id',
  amount: '1',
})

/** What the migration 003 counts, and so for ever this. */
export const firstCounters: readonly Counter[] = [
  rowsOf('networks', 'network'),
  rowsOf('subnets', 'subnet'),
  rowsOf('ports', 'port'),
  rowsOf('routers', 'router'),
  rowsOf('floating_ips', 'floatingip'),
  rowsOf('security_groups', 'security_group'),
  rowsOf('security_group_rules', 'security_group_rule'),
]

/** What the migration 005 counts. */
export const sharingCounters: readonly Counter[] = [
  rowsOf('subnet_pools', 'subnetpool'),
  rowsOf('rbac_policies', 'rbac_policy'),
]

/** All of them. A later one is added here, and counted by a migration of its own: `countRows(db, [routed])`. */
export const counters: readonly Counter[] = [...firstCounters, ...sharingCounters]
