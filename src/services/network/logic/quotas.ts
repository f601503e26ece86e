import type { Trx } from '../../../platform/db/database.ts'
import type { LimitStore } from '../../../platform/quota/limits.ts'
import { createQuotas, type Quotas } from '../../../platform/quota/quotas.ts'
import { overQuota } from './errors.ts'

/**
 * What is limited, under its API name, and how much a project has without a limit of its own. Rows count themselves:
 * `db/counters.ts`. Source: Neutron configuration reference, section "quotas".
 */
const resources = {
  network: { fallback: 100 },
  subnet: { fallback: 100 },
  port: { fallback: 500 },
  router: { fallback: 10 },
  floatingip: { fallback: 50 },
  security_group: { fallback: 10 },
  security_group_rule: { fallback: 100 },
  subnetpool: { fallback: -1 },
  rbac_policy: { fallback: 10 },
} as const

export type QuotaResource = keyof typeof resources
export type NetworkQuotas = Quotas<QuotaResource>

export const networkQuotas = (limits: LimitStore): NetworkQuotas =>
  createQuotas({ service: 'network', resources, limits, refuse: (over) => overQuota(over.map((o) => o.resource)) })

/** Room for the items of a bulk create, which an administrator may spread over projects. @throws CloudError (OverQuota) */
export async function claimAll(
  trx: Trx,
  { quotas }: { quotas: NetworkQuotas },
  resource: QuotaResource,
  items: readonly { values: { project_id: string } }[],
): Promise<void> {
  const wanted = new Map<string, number>()
  for (const { values } of items) wanted.set(values.project_id, (wanted.get(values.project_id) ?? 0) + 1)
  for (const [projectId, n] of wanted) await quotas.claim(trx, projectId, { [resource]: n })
}
