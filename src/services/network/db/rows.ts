import { type Kysely, sql } from 'kysely'
import type { Db, Tables, Trx } from '../../../platform/db/database.ts'
import { type Listing, listed } from './listing.ts'

/** What every resource's row has. */
export interface StandardRow {
  id: string
  project_id: string
  revision_number: number
  updated_at: string
}

/** The tables whose rows are a resource each. */
type StandardTable = {
  [T in keyof Tables]: Tables[T] extends StandardRow ? T : never
}[keyof Tables]

/** The statements that all resources' tables have in common. Every update is a new revision. */
export function rowsOf<T extends StandardTable>(name: T) {
  type Row = Tables[T] & StandardRow
  // Kysely cannot follow a table that is a type parameter; the columns named here every such table has.
  const plain = (db: Db | Trx) => db as unknown as Kysely<{ table: StandardRow }>
  const table = name as unknown as 'table'
  return {
    async find(db: Db, id: string): Promise<Row | undefined> {
      const row: unknown = await plain(db).selectFrom(table).selectAll().where('id', '=', id).executeTakeFirst()
      return row as Row | undefined
    },
    async list(db: Db, listing: Listing): Promise<Row[]> {
      const rows: unknown = await listed(plain(db).selectFrom(table).selectAll(), listing)
      return rows as Row[]
    },
    async byIds(db: Db, ids: readonly string[]): Promise<Map<string, Row>> {
      if (ids.length === 0) return new Map()
      const rows: unknown = await plain(db).selectFrom(table).selectAll().where('id', 'in', ids).execute()
      return new Map((rows as Row[]).map((row) => [row.id, row]))
    },
    async insert(trx: Trx, row: Row): Promise<void> {
      await plain(trx).insertInto(table).values(row).execute()
    },
    async update(trx: Trx, id: string, changes: Partial<Row>): Promise<void> {
      const next = { ...changes, revision_number: sql<number>`revision_number + 1` }
      await plain(trx).updateTable(table).set(next).where('id', '=', id).execute()
    },
    async remove(trx: Trx, id: string): Promise<void> {
      await plain(trx).deleteFrom(table).where('id', '=', id).execute()
    },
  }
}
