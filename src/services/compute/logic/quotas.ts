import type { Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as quotaRows from '../db/quotas.ts'
import * as serverRows from '../db/servers.ts'
import type { Deps } from './deps.ts'

/** What may be limited, under the API's names. -1 is no limit. */
export const quotaNames = [
  'cores',
  'instances',
  'key_pairs',
  'metadata_items',
  'ram',
  'server_group_members',
  'server_groups',
  'fixed_ips',
  'floating_ips',
  'injected_file_content_bytes',
  'injected_file_path_bytes',
  'injected_files',
  'security_group_rules',
  'security_groups',
] as const
export type QuotaName = (typeof quotaNames)[number]
export type Limits = Record<QuotaName, number>

/** Limits as configured. Those of networks are Network's business; the old API still shows them. */
export function defaultLimits({ ground: { config } }: Deps): Limits {
  return {
    cores: config.quotas.cores,
    instances: config.quotas.instances,
    key_pairs: config.quotas.keyPairs,
    metadata_items: 128,
    ram: config.quotas.ramMiB,
    server_group_members: 10,
    server_groups: 10,
    fixed_ips: -1,
    floating_ips: -1,
    injected_file_content_bytes: 10240,
    injected_file_path_bytes: 255,
    injected_files: 5,
    security_group_rules: -1,
    security_groups: -1,
  }
}

/** Under what name a class's limits stand beside the projects'; no project's id has a colon in it. */
export const classOf = (name: string): string => `class:${name}`

/** Limits of a project without its own: as configured, and what was set for the class `default`. */
export async function classLimits(deps: Deps, db: Db): Promise<Limits> {
  return { ...defaultLimits(deps), ...(await quotaRows.get(db, classOf('default'))) }
}

export async function limitsOf(deps: Deps, db: Db, projectId: string): Promise<Limits> {
  return { ...(await classLimits(deps, db)), ...(await quotaRows.get(db, projectId)) }
}

/**
 * How many of `max` servers a project may still make, in the transaction that makes them.
 * @throws CloudError `overQuota` when not even `min`.
 */
export async function admit(
  deps: Deps,
  db: Db,
  projectId: string,
  each: { vcpus: number; memoryMiB: number },
  min: number,
  max: number,
): Promise<number> {
  const limits = await limitsOf(deps, db, projectId)
  const used = await serverRows.usage(db, projectId)
  const resources = [
    { name: 'cores', limit: limits.cores, used: used.cores, each: each.vcpus },
    { name: 'instances', limit: limits.instances, used: used.instances, each: 1 },
    { name: 'ram', limit: limits.ram, used: used.ramMiB, each: each.memoryMiB },
  ]
  const fits = (r: (typeof resources)[number], count: number) => r.limit < 0 || r.used + r.each * count <= r.limit
  let count = max
  while (count >= min && !resources.every((r) => fits(r, count))) count--
  if (count >= min) return count
  const over = resources.filter((r) => !fits(r, min))
  const list = (value: (r: (typeof resources)[number]) => string | number) => over.map(value).join(', ')
  const names = list((r) => r.name)
  throw new CloudError(
    'overQuota',
    `Quota exceeded for ${names}: Requested ${list((r) => r.each * min)}, but already used ${list((r) => r.used)} of ${list((r) => r.limit)} ${names}`,
  )
}

/** Whether a project may have so much more of what it has. @throws CloudError `overQuota` */
export async function admitMore(
  deps: Deps,
  db: Db,
  projectId: string,
  more: { vcpus: number; memoryMiB: number },
): Promise<void> {
  const limits = await limitsOf(deps, db, projectId)
  const used = await serverRows.usage(db, projectId)
  const over = [
    { name: 'cores', limit: limits.cores, used: used.cores, more: more.vcpus },
    { name: 'ram', limit: limits.ram, used: used.ramMiB, more: more.memoryMiB },
  ].find((r) => r.more > 0 && r.limit >= 0 && r.used + r.more > r.limit)
  if (!over) return
  const text = `Requested ${over.more}, but already used ${over.used} of ${over.limit} ${over.name}`
  throw new CloudError('overQuota', `Quota exceeded for ${over.name}: ${text}`)
}
