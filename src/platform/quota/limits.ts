import type { Db, Trx } from '../db/database.ts'

/** Limits by resource, as unified limits name it; -1 is any amount. */
export type Limits = Readonly<Record<string, number>>

/**
 * Where limits are kept: Identity's registered limits (what everybody may have) and limits (what one project may). Read
 * in the transaction that claims, so a change counts from its commit on, in every process.
 */
export interface LimitStore {
  /** What was set for a service: for everybody, and for this project. */
  of(db: Db, service: string, projectId: string): Promise<{ everybody: Limits; own: Limits }>
  /** Projects with limits of their own for a service, in a steady order. */
  holders(db: Db, service: string): Promise<string[]>
  /**
   * Sets limits of a project. A resource that is not registered yet is, with its `fallback`.
   * @throws CloudError `notFound` when there is no such project
   */
  set(trx: Trx, service: string, projectId: string, limits: Limits, fallbacks: Limits): Promise<void>
  /** Takes a project's own limits away. Repeatable. */
  reset(trx: Trx, service: string, projectId: string): Promise<boolean>
  /** Sets what everybody may have. */
  setDefaults(trx: Trx, service: string, limits: Limits): Promise<void>
}
