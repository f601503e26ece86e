import type { Overrides } from './auth/policy.ts'
import type { BlobStore } from './blobs/blobs.ts'
import type { Bus } from './bus/bus.ts'
import type { Clock } from './clock.ts'
import type { Config, ServiceName } from './config.ts'
import type { Database, Migration } from './db/database.ts'
import type { App } from './http/app.ts'
import type { Logger } from './log.ts'
import type { Reconciler } from './reconcile/reconciler.ts'

/** What every service stands on. */
export interface Ground {
  readonly config: Config
  /** Eight hex digits: marks all that this cloud makes on a machine. */
  readonly cloudId: string
  readonly database: Database
  readonly bus: Bus
  readonly blobs: BlobStore
  /** A hint that a loop has work; only ever after the transaction that made the work. */
  readonly nudge: (loop: string) => void
  readonly policyOverrides: Overrides
  readonly log: Logger
  readonly clock: Clock
}

/** What a service gives the program that runs it. */
export interface Service {
  readonly name: ServiceName
  /** Listens on the service's port; absent for a service without an API of its own yet. */
  readonly app?: App
  readonly loops: readonly Reconciler[]
  /** Brings order after a restart, before the first request (uploads cut off, work half done). */
  start?(): Promise<void>
  stop?(): Promise<void>
}

/** Migrations are run before any service is made. */
export interface ServiceMigrations {
  readonly service: string
  readonly migrations: readonly Migration[]
}
