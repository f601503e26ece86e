import { sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'

/** Table and column of everything that is kept encrypted; each is bound to its row's id. */
const places = [
  ['identity_credentials', 'blob'],
  ['identity_consumers', 'secret'],
  ['identity_request_tokens', 'secret'],
  ['identity_access_tokens', 'secret'],
] as const

export type Place = (typeof places)[number]
export const sealedPlaces: readonly Place[] = places

export interface Sealed {
  readonly id: string
  readonly sealed: string
}

/** Those that do not begin with `mark`, by id, after `after`. */
export async function listOther(
  db: Db,
  [table, column]: Place,
  mark: string,
  after: string,
  limit: number,
): Promise<Sealed[]> {
  const [from, value] = [sql.table(table), sql.ref(column)]
  const { rows } = await sql<Sealed>`
    select id, ${value} as sealed from ${from}
    where id > ${after} and substr(${value}, 1, ${sql.lit(mark.length)}) <> ${mark}
    order by id limit ${sql.lit(limit)}`.execute(db)
  return rows
}

/** Unless it has changed meanwhile. */
export async function replace(db: Db, [table, column]: Place, was: Sealed, now: string): Promise<void> {
  const [into, value] = [sql.table(table), sql.ref(column)]
  await sql`update ${into} set ${value} = ${now} where id = ${was.id} and ${value} = ${was.sealed}`.execute(db)
}
