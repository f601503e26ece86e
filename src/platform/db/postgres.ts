import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { CloudError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Database, Tables } from './database.ts'
import { markInside, refuseNesting } from './nesting.ts'
import { storageFault } from './storage-faults.ts'
import { createTurns, turnTaken } from './turns.ts'

/** serialization_failure and deadlock_detected: the transaction had no effect and may simply be run again. */
const retryable = new Set(['40001', '40P01'])
const attempts = 20

const int8 = 20
const numeric = 1700

/** Sums and counts arrive as int8 or numeric text; the schema holds nothing beyond 2^53. */
function toNumber(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond 2^53`)
  return value
}

const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    return oid === int8 || oid === numeric ? toNumber : pg.types.getTypeParser(oid, format as 'text')
  },
}

/**
 * PostgreSQL, for more than one control process. Every write is a SERIALIZABLE transaction, run again after a conflict
 * with another. Source: PostgreSQL documentation, "Serializable Isolation Level" and "Serialization Failure Handling".
 */
export async function openPostgres(url: string, log: Logger): Promise<Database> {
  const poolOf = (max: number) => {
    const pool = new pg.Pool({ connectionString: url, max, types, application_name: 'berth', keepAlive: true })
    // An idle connection that the server ended; the pool replaces it.
    const lost = (error: Error) => log.warn({ error: error.message }, 'a PostgreSQL connection was lost')
    pool.on('error', lost)
    // One in use tells its query; without a listener it would end the process besides.
    pool.on('connect', (client) => client.on('error', lost))
    return pool
  }
  // Two pools, so that a flood of writes cannot keep readers waiting; few writers, so that they seldom collide.
  const readers = poolOf(10)
  const read = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: readers }) })
  const writer = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: poolOf(6) }) })
  try {
    await readers.query('select 1')
  } catch (cause) {
    await Promise.all([read.destroy(), writer.destroy()])
    throw new Error(`PostgreSQL does not answer: ${(cause as Error).message}`, { cause })
  }
  const inTurn = createTurns()
  return {
    engine: 'postgres',
    read,
    async write(work) {
      refuseNesting()
      const turns = new Set<string>()
      for (let attempt = 1; ; attempt++) {
        const wanted = new Set<string>()
        const run = (db: Kysely<Tables>) =>
          db
            .transaction()
            .setIsolationLevel('serializable')
            .execute((trx) => markInside(() => work(trx), wanted))
        try {
          if (turns.size === 0) return await run(writer)
          const keys = [...turns].sort()
          return await inTurn(keys, () => writer.connection().execute((db) => holding(db, keys, () => run(db))))
        } catch (error) {
          const code = error instanceof pg.DatabaseError ? error.code : undefined
          if (!code || !retryable.has(code)) throw storageFault(error)
          const taken = turnTaken(error)
          if (taken !== null) wanted.add(taken)
          const before = turns.size
          for (const key of wanted) turns.add(key)
          if (attempt === attempts) {
            throw new CloudError('unavailable', 'Too many writes met on the same rows; try again', { cause: error })
          }
          // Jittered, so that those who met once do not meet again; who waits for a turn need not.
          if (turns.size === before) await sleep(Math.random() * Math.min(2 ** attempt, 200))
        }
      }
    },
    commits: () => null,
    async close() {
      await Promise.all([read.destroy(), writer.destroy()])
    },
  }
}

/** Its turns, of all processes, from before the transaction begins until after it has ended. */
async function holding<T>(db: Kysely<Tables>, keys: readonly string[], work: () => Promise<T>): Promise<T> {
  for (const key of keys) await sql`select pg_advisory_lock(hashtextextended(${key}, 0))`.execute(db)
  try {
    return await work()
  } finally {
    // A lost connection has given them back by itself, and its own error is the one to tell.
    await sql`select pg_advisory_unlock_all()`.execute(db).catch(() => undefined)
  }
}
