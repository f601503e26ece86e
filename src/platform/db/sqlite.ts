import { chmod, type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import type { Database, Tables } from './database.ts'
import { createGroupCommit } from './group-commit.ts'
import { markInside, refuseNesting } from './nesting.ts'
import { regexp } from './regexp.ts'
import { sqliteDialect } from './sqlite-dialect.ts'
import { storageFault } from './storage-faults.ts'

export interface SqliteOptions {
  /** Makes a file durable; tests put themselves between here. */
  sync?: (file: FileHandle) => Promise<void>
}

/** SQLITE_BUSY and its extended codes: another process holds the lock. */
const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 5

/**
 * The default database: one file, one connection that reads and one that writes.
 *
 * Durability: the writer runs with `synchronous=NORMAL`, and `write` resolves only after an `fdatasync` of the
 * write-ahead log on the thread pool. For an acknowledged write this equals `synchronous=FULL`, whose one addition to
 * NORMAL is that same sync, but on the event loop, at the end of each commit. NORMAL keeps the order that the rest
 * depends on by itself: the log is synced before a checkpoint copies from it, the database before the log is used again
 * from its start, the log's header (and, when it is new, its directory entry) before frames follow it. What a reader
 * may see a moment early is a commit whose writer has not been answered yet.
 * Source: SQLite documentation, "PRAGMA synchronous" and "Write-Ahead Logging".
 */
export async function openSqlite(path: string, options: SqliteOptions = {}): Promise<Database> {
  const sync = options.sync ?? ((file: FileHandle) => file.datasync())
  await createPrivately(path)
  const writer = new DatabaseSync(path)
  // Only for the moments before the writer waits by itself: opening, and recovery after a crash.
  writer.exec('PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  // A checkpoint runs inside a commit: 1000 pages (4 MiB) at most, and the log is cut back after a burst.
  writer.exec('PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 67108864')
  const reader = new DatabaseSync(path)
  // Mapped: every commit throws the reader's own page cache away, and each page of a lookup would be a system call again.
  reader.exec('PRAGMA busy_timeout = 10000; PRAGMA query_only = ON; PRAGMA mmap_size = 1073741824')
  writer.exec('PRAGMA busy_timeout = 0')
  for (const connection of [writer, reader]) addFunctions(connection)
  // Another connection's commits, the writer's included, change it. Source: SQLite documentation, "PRAGMA data_version".
  const dataVersion = reader.prepare('PRAGMA data_version')
  const read = new Kysely<Tables>({ dialect: sqliteDialect(reader, 'refused') })
  const jobs = new Kysely<Tables>({ dialect: sqliteDialect(writer, 'savepoint') })
  let wal: FileHandle | null = null

  const group = createGroupCommit({
    begin() {
      try {
        writer.exec('BEGIN IMMEDIATE')
        return true
      } catch (error) {
        if (isBusy(error)) return false
        throw error
      }
    },
    commit: () => writer.exec('COMMIT'),
    rollback: () => writer.exec('ROLLBACK'),
    inTransaction: () => writer.isTransaction,
    isolated: (work) => markInside(work),
    async sync() {
      // There since the first commit at the latest, and the same file until the last connection closes.
      wal ??= await open(`${path}-wal`, 'r')
      await sync(wal)
    },
  })

  return {
    engine: 'sqlite',
    read,
    async write(work) {
      refuseNesting()
      try {
        return await group.write(() => jobs.transaction().execute(work))
      } catch (error) {
        throw storageFault(error)
      }
    },
    commits: () => Number(dataVersion.get()?.data_version),
    async close() {
      await group.close()
      await read.destroy()
      await jobs.destroy()
      // After SQLite's own close, which checkpoints and removes the log.
      await wal?.close()
    },
  }
}

/** Creates the file for our eyes only; SQLite gives the same mode to the files beside it. */
async function createPrivately(path: string): Promise<void> {
  try {
    // Never opened when it exists: closing any descriptor of it would drop the locks this process holds through SQLite.
    await (await open(path, 'wx', 0o600)).close()
    const directory = await open(dirname(path), 'r')
    await directory.sync()
    await directory.close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    await chmod(path, 0o600)
  }
}

/** Gives SQLite what PostgreSQL has: `regexp_like(text, expression)`. */
function addFunctions(connection: DatabaseSync): void {
  // A query asks with one expression for all its rows.
  let last: { expression: string; finds: (text: string) => boolean } | null = null
  connection.function('regexp_like', { deterministic: true }, (text, expression) => {
    if (text === null || expression === null) return null
    if (last?.expression !== String(expression)) {
      last = { expression: String(expression), finds: regexp(String(expression)) }
    }
    return last.finds(String(text)) ? 1 : 0
  })
}
