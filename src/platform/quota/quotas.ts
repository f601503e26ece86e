import type { Db, Trx } from '../db/database.ts'
import { wantTurn } from '../db/turns.ts'
import type { CloudError } from '../errors.ts'
import type { LimitStore } from './limits.ts'
import './counters.ts'

export interface Resource {
  /** The limit where none is set; -1 is any amount. */
  readonly fallback: number
  /** What one of the limit is in what is counted, such as 2^20 for a limit in MiB of bytes; 1 when absent. */
  readonly unit?: number
}

export interface Over<R extends string> {
  readonly resource: R
  readonly limit: number
  readonly used: number
  readonly wanted: number
}

export interface Standing {
  readonly limit: number
  readonly used: number
}

/** A service's quotas. Every number is in units of the limit. */
export interface Quotas<R extends string> {
  readonly resources: readonly R[]
  /** Limits where none are set. */
  readonly fallbacks: Readonly<Record<R, number>>
  /** What everybody may have who has no limit of their own. */
  defaults(db: Db): Promise<Record<R, number>>
  limits(db: Db, projectId: string): Promise<Record<R, number>>
  /** What a project has, or another holder (a user has key pairs). */
  usage(db: Db, holderId: string): Promise<Record<R, number>>
  /** Limits and usage in the transaction that is going to write: what it says of room holds until the commit. */
  standing(trx: Trx, projectId: string, holderId?: string): Promise<Record<R, Standing>>
  /**
   * Refuses what would be too much. In the transaction that writes the rows and before they are written: they count
   * themselves, so of two claims before the rows of the first, the second does not know of the first. What is not more
   * than before is never refused, whatever the limit.
   * @throws CloudError as the service says it
   */
  claim(trx: Trx, projectId: string, wanted: Partial<Record<R, number>>, holderId?: string): Promise<void>
  /** @throws CloudError `notFound` when there is no such project */
  set(trx: Trx, projectId: string, limits: Partial<Record<R, number>>): Promise<void>
  setDefaults(trx: Trx, limits: Partial<Record<R, number>>): Promise<void>
  reset(trx: Trx, projectId: string): Promise<boolean>
  /** Projects with limits of their own. */
  holders(db: Db): Promise<string[]>
}

export interface Options<R extends string> {
  /** Official service type. */
  readonly service: string
  readonly resources: Readonly<Record<R, Resource>>
  readonly limits: LimitStore
  /** The service's own words for too much. */
  refuse(over: readonly [Over<R>, ...Over<R>[]]): CloudError
}

/** Limits from Identity, usage from the counters. Sources: Identity API reference, "Unified Limits"; oslo.limit. */
export function createQuotas<R extends string>({ service, resources, limits, refuse }: Options<R>): Quotas<R> {
  const names = Object.keys(resources) as R[]
  const record = <T>(value: (name: R) => T) =>
    Object.fromEntries(names.map((name) => [name, value(name)])) as Record<R, T>
  const unitOf = (name: R): number => resources[name].unit ?? 1
  const fallbacks = record((name) => resources[name].fallback)

  async function effective(db: Db, projectId: string): Promise<Record<R, number>> {
    const { everybody, own } = await limits.of(db, service, projectId)
    return record((name) => own[name] ?? everybody[name] ?? fallbacks[name])
  }

  async function counted(db: Db, holderId: string): Promise<Record<R, number>> {
    const rows = await db
      .selectFrom('quota_usage')
      .select(['resource', 'used'])
      .where('holder_id', '=', holderId)
      .where('service', '=', service)
      .execute()
    const used = new Map(rows.map((row) => [row.resource, Number(row.used)]))
    return record((name) => used.get(name) ?? 0)
  }

  const usage = async (db: Db, holderId: string) => {
    const used = await counted(db, holderId)
    return record((name) => Math.floor(used[name] / unitOf(name)))
  }

  return {
    resources: names,
    fallbacks,
    async defaults(db) {
      const { everybody } = await limits.of(db, service, '')
      return record((name) => everybody[name] ?? fallbacks[name])
    },
    limits: effective,
    usage,
    async standing(trx, projectId, holderId = projectId) {
      wantTurn(holderId)
      const most = await effective(trx, projectId)
      const used = await usage(trx, holderId)
      return record((name) => ({ limit: most[name], used: used[name] }))
    },
    async claim(trx, projectId, wanted, holderId = projectId) {
      wantTurn(holderId)
      const most = await effective(trx, projectId)
      const used = await counted(trx, holderId)
      const over = names.flatMap((name): Over<R>[] => {
        const more = wanted[name] ?? 0
        const limit = most[name]
        const unit = unitOf(name)
        if (more <= 0 || limit < 0 || used[name] + more * unit <= limit * unit) return []
        return [{ resource: name, limit, used: Math.floor(used[name] / unit), wanted: more }]
      })
      const [first, ...rest] = over
      if (first) throw refuse([first, ...rest])
    },
    set: (trx, projectId, values) => limits.set(trx, service, projectId, values as Record<string, number>, fallbacks),
    setDefaults: (trx, values) => limits.setDefaults(trx, service, values as Record<string, number>),
    reset: (trx, projectId) => limits.reset(trx, service, projectId),
    holders: (db) => limits.holders(db, service),
  }
}
