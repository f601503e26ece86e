import type { Config } from '../../../platform/config.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { LimitStore } from '../../../platform/quota/limits.ts'
import { createQuotas, type Over, type Quotas } from '../../../platform/quota/quotas.ts'

/** What may be limited, under the API's names and those of unified limits. -1 is no limit. */
const unified = {
  cores: 'class:VCPU',
  instances: 'servers',
  key_pairs: 'server_key_pairs',
  metadata_items: 'server_metadata_items',
  ram: 'class:MEMORY_MB',
  server_group_members: 'server_group_members',
  server_groups: 'server_groups',
  fixed_ips: 'fixed_ips',
  floating_ips: 'floating_ips',
  injected_file_content_bytes: 'server_injected_file_content_bytes',
  injected_file_path_bytes: 'server_injected_file_path_bytes',
  injected_files: 'server_injected_files',
  security_group_rules: 'security_group_rules',
  security_groups: 'security_groups',
} as const
export type QuotaName = keyof typeof unified
export type Limits = Record<QuotaName, number>
type Resource = (typeof unified)[QuotaName]
export type ComputeQuotas = Quotas<Resource>

export const quotaNames = Object.keys(unified) as QuotaName[]

/** What one of Compute's rules refuses by; `ground.config` has the limits where none are set. */
interface Deps {
  readonly quotas: ComputeQuotas
}

/**
 * Compute's share of the cloud's quotas; servers, key pairs and groups count themselves: `db/counters.ts`. Limits of
 * networks are Network's business; the old API still shows them. Source: Nova, "Unified limits".
 */
export function computeQuotas({ quotas }: Pick<Config, 'quotas'>, limits: LimitStore): ComputeQuotas {
  const none = { fallback: -1 }
  const resources: Record<Resource, { fallback: number }> = {
    'class:VCPU': { fallback: quotas.cores },
    servers: { fallback: quotas.instances },
    server_key_pairs: { fallback: quotas.keyPairs },
    server_metadata_items: { fallback: 128 },
    'class:MEMORY_MB': { fallback: quotas.ramMiB },
    server_group_members: { fallback: 10 },
    server_groups: { fallback: 10 },
    ...{ fixed_ips: none, floating_ips: none, security_group_rules: none, security_groups: none },
    server_injected_file_content_bytes: { fallback: 10240 },
    server_injected_file_path_bytes: { fallback: 255 },
    server_injected_files: { fallback: 5 },
  }
  return createQuotas({ service: 'compute', resources, limits, refuse })
}

function refuse(over: readonly [Over<Resource>, ...Over<Resource>[]]): CloudError {
  const [{ resource }] = over
  if (resource === 'server_key_pairs') return new CloudError('overQuota', 'Quota exceeded, too many key pairs.')
  if (resource === 'server_groups') return new CloudError('overQuota', 'Quota exceeded, too many server groups.')
  const list = (value: (o: Over<Resource>) => string | number) => over.map(value).join(', ')
  const names = list((o) => quotaNames.find((name) => unified[name] === o.resource) ?? o.resource)
  const text = `Requested ${list((o) => o.wanted)}, but already used ${list((o) => o.used)} of ${list((o) => o.limit)} ${names}`
  return new CloudError('overQuota', `Quota exceeded for ${names}: ${text}`)
}

const underApiNames = (values: Readonly<Record<Resource, number>>): Limits =>
  Object.fromEntries(quotaNames.map((name) => [name, values[unified[name]]])) as Limits
const underUnifiedNames = (values: Readonly<Record<string, number>>): Partial<Record<Resource, number>> =>
  Object.fromEntries(quotaNames.flatMap((name) => (values[name] === undefined ? [] : [[unified[name], values[name]]])))

/** Limits as configured: what an unknown class shows. */
export const defaultLimits = ({ quotas }: Deps): Limits => underApiNames(quotas.fallbacks)

/** Under what name a class's limits stand; the class `default` is what projects without limits of their own have. */
export const classOf = (name: string): string => `class:${name}`

export const classLimits = async ({ quotas }: Deps, db: Db): Promise<Limits> => underApiNames(await quotas.defaults(db))

export const limitsOf = async ({ quotas }: Deps, db: Db, projectId: string): Promise<Limits> =>
  underApiNames(await quotas.limits(db, projectId))

/** What a project has; of key pairs, which are its users' own, nothing. */
export const usedOf = async ({ quotas }: Deps, db: Db, projectId: string): Promise<Limits> =>
  underApiNames(await quotas.usage(db, projectId))

/** @throws CloudError `notFound` when there is no such project */
export const setLimits = (
  { quotas }: Deps,
  trx: Trx,
  projectId: string,
  limits: Record<string, number>,
): Promise<void> => quotas.set(trx, projectId, underUnifiedNames(limits))

export const setDefaults = ({ quotas }: Deps, trx: Trx, limits: Record<string, number>): Promise<void> =>
  quotas.setDefaults(trx, underUnifiedNames(limits))

/**
 * How many of `max` servers a project may still make, in the transaction that makes them.
 * @throws CloudError `overQuota` when not even `min`.
 */
export async function admit(
  { quotas }: Deps,
  trx: Trx,
  projectId: string,
  each: { vcpus: number; memoryMiB: number },
  min: number,
  max: number,
): Promise<number> {
  const now = await quotas.standing(trx, projectId)
  const room = ({ limit, used }: { limit: number; used: number }, one: number) =>
    limit < 0 || one === 0 ? max : Math.floor((limit - used) / one)
  const most = Math.min(
    max,
    ...[room(now['class:VCPU'], each.vcpus), room(now.servers, 1), room(now['class:MEMORY_MB'], each.memoryMiB)],
  )
  if (most >= min) return most
  await admitMore({ quotas }, trx, projectId, {
    servers: min,
    vcpus: each.vcpus * min,
    memoryMiB: each.memoryMiB * min,
  })
  return min
}

/** Whether a project may have so much more than it has. @throws CloudError `overQuota` */
export const admitMore = (
  { quotas }: Deps,
  trx: Trx,
  projectId: string,
  { servers = 0, vcpus, memoryMiB }: { servers?: number; vcpus: number; memoryMiB: number },
): Promise<void> => quotas.claim(trx, projectId, { 'class:VCPU': vcpus, servers, 'class:MEMORY_MB': memoryMiB })
