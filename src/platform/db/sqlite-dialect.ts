import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'

/** Statements kept prepared per connection; the cloud's own queries number a few hundred. */
const statementsKept = 512

interface Prepared {
  statement: StatementSync
  /** Empty when the statement gives no rows. */
  columns: string[]
}

/** One `node:sqlite` connection as Kysely sees it. Every call runs to its end before it returns: it never interleaves. */
class SqliteConnection implements DatabaseConnection {
  readonly #sqlite: DatabaseSync
  readonly #prepared = new Map<string, Prepared>()

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite
  }

  #prepare(sql: string): Prepared {
    let prepared = this.#prepared.get(sql)
    if (prepared) {
      // Last used stands last in a Map's order, so the first key is always the one to drop.
      this.#prepared.delete(sql)
    } else {
      const statement = this.#sqlite.prepare(sql)
      statement.setReturnArrays(true)
      prepared = { statement, columns: namesOf(statement) }
      const [oldest] = this.#prepared.size >= statementsKept ? this.#prepared.keys() : []
      if (oldest !== undefined) this.#prepared.delete(oldest)
    }
    this.#prepared.set(sql, prepared)
    return prepared
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const prepared = this.#prepare(sql)
    const values = parameters as SQLInputValue[]
    if (prepared.columns.length === 0) {
      const { changes, lastInsertRowid } = prepared.statement.run(...values)
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
    }
    const tuples = prepared.statement.all(...values) as unknown as unknown[][]
    // A migration on another connection may have added a column to a kept `select *`.
    if (tuples[0] && tuples[0].length !== prepared.columns.length) prepared.columns = namesOf(prepared.statement)
    return { rows: tuples.map((tuple) => rowOf(prepared.columns, tuple)) as R[] }
  }

  async *streamQuery<R>({ sql, parameters }: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    // Not from the cache: the same query may be run again while this one is still being read.
    const statement = this.#sqlite.prepare(sql)
    for (const row of statement.iterate(...(parameters as SQLInputValue[]))) yield { rows: [{ ...row } as R] }
  }
}

const namesOf = (statement: StatementSync): string[] => statement.columns().map((column) => column.name)

/** Plain objects, as `pg` gives; `node:sqlite`'s own have no prototype and are slow to read. */
function rowOf(columns: readonly string[], tuple: readonly unknown[]): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (let i = 0; i < columns.length; i++) row[columns[i]!] = tuple[i]
  return row
}

/** What a Kysely transaction becomes: a savepoint in the batch of the group commit, or nothing at all on a reader. */
export type TransactionStyle = 'savepoint' | 'refused'

class SqliteDriver implements Driver {
  readonly #sqlite: DatabaseSync
  readonly #connection: SqliteConnection
  readonly #style: TransactionStyle

  constructor(sqlite: DatabaseSync, style: TransactionStyle) {
    this.#sqlite = sqlite
    this.#connection = new SqliteConnection(sqlite)
    this.#style = style
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection
  }

  async beginTransaction(): Promise<void> {
    if (this.#style === 'refused') throw new Error('Transactions go through Database.write, not through read')
    this.#sqlite.exec('SAVEPOINT job')
  }

  async commitTransaction(): Promise<void> {
    this.#sqlite.exec('RELEASE job')
  }

  async rollbackTransaction(): Promise<void> {
    // A full disk or an I/O error has rolled everything back already; there is no savepoint to go back to.
    if (this.#sqlite.isTransaction) this.#sqlite.exec('ROLLBACK TO job; RELEASE job')
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    this.#sqlite.close()
  }
}

/** Kysely over one `node:sqlite` connection; integers beyond 2^53 are refused by `node:sqlite`, not rounded. */
export function sqliteDialect(sqlite: DatabaseSync, style: TransactionStyle): Dialect {
  return {
    createDriver: () => new SqliteDriver(sqlite, style),
    createAdapter: () => new SqliteAdapter(),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db: Kysely<unknown>): DatabaseIntrospector => new SqliteIntrospector(db),
  }
}
