import type { Kysely, Transaction } from 'kysely'

/**
 * Every table of the cloud. Each service adds its own in its `db/tables.ts`:
 * `declare module '../../../platform/db/database.ts' { interface Tables { compute_servers: ServersTable } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled by the services through declaration merging
export interface Tables {}

/** A handle that reads, or a transaction: what every function in a `db/` folder takes first. */
export type Db = Kysely<Tables>
export type Trx = Transaction<Tables>

/** Numbered by its place in the service's list; never edited once released. Text, integer, 0 | 1, JSON as text. */
export interface Migration {
  readonly name: string
  up(db: Kysely<unknown>): Promise<void>
}

export interface Database {
  readonly engine: 'sqlite' | 'postgres'
  /** Plain reads, outside any transaction; sees what is committed. */
  readonly read: Db
  /**
   * One transaction. Resolves when it is durable (it survives power loss). Transactions are serialisable: `work`
   * may be run again after a conflict with another process, so it must have no effect but on `trx`.
   * Nothing slow inside: no network call, no engine call, never the outer `read`.
   */
  write<T>(work: (trx: Trx) => Promise<T>): Promise<T>
  /** A number that changes whenever anybody has committed anything; null where it would cost a question to know. */
  commits(): number | null
  close(): Promise<void>
}
