import type { Db } from '../../../platform/db/database.ts'
import { count } from '../db/networks.ts'
import * as quotaRows from '../db/quotas.ts'
import { overQuota } from './errors.ts'

/** Source: Neutron configuration reference, section "quotas". */
export const defaultQuotas = {
  network: 100,
  subnet: 100,
  port: 500,
  router: 10,
  floatingip: 50,
  security_group: 10,
  security_group_rule: 100,
} as const

export type QuotaResource = keyof typeof defaultQuotas
export const quotaResources = Object.keys(defaultQuotas) as QuotaResource[]

const tables = {
  network: 'network_networks',
  subnet: 'network_subnets',
  port: 'network_ports',
  router: 'network_routers',
  floatingip: 'network_floating_ips',
  security_group: 'network_security_groups',
  security_group_rule: 'network_security_group_rules',
} as const

/** A project's limits; -1 is none. */
export async function limitsOf(db: Db, projectId: string): Promise<Record<QuotaResource, number>> {
  const own = await quotaRows.ofProject(db, projectId)
  return { ...defaultQuotas, ...Object.fromEntries(own.map((row) => [row.resource, row.quota_limit])) }
}

/**
 * Room for `wanted` more? Asked before the transaction, as Neutron's own default driver does ("DbQuotaNoLockDriver"):
 * counting inside would make every two creates of a project collide on PostgreSQL. Two requests at the very limit may
 * both pass.
 * @throws CloudError `conflict` (OverQuota)
 */
export async function requireRoom(db: Db, projectId: string, resource: QuotaResource, wanted: number): Promise<void> {
  const limit = (await limitsOf(db, projectId))[resource]
  if (limit < 0) return
  if ((await count(db, tables[resource], projectId)) + wanted > limit) throw overQuota(resource)
}

/** The same for the items of a bulk create, which an administrator may spread over projects. */
export async function requireRoomForAll(
  db: Db,
  resource: QuotaResource,
  items: readonly { values: { project_id: string } }[],
): Promise<void> {
  const wanted = new Map<string, number>()
  for (const { values } of items) wanted.set(values.project_id, (wanted.get(values.project_id) ?? 0) + 1)
  for (const [projectId, n] of wanted) await requireRoom(db, projectId, resource, n)
}
