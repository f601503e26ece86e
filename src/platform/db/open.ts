import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../log.ts'
import type { Database } from './database.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'

/** `spec` is config's `database`: `sqlite` (a file in the state directory) or `postgres://user:password@host/name`. */
export async function openDatabase(spec: string, stateDir: string, log: Logger): Promise<Database> {
  if (/^postgres(ql)?:\/\//.test(spec)) return await openPostgres(spec, log)
  if (spec !== 'sqlite') throw new Error('database must be `sqlite` or a `postgres://…` URL')
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  return await openSqlite(join(stateDir, 'berth.sqlite'))
}
