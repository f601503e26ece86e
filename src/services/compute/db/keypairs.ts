import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { KeypairsTable } from './tables.ts'

export type Keypair = Selectable<KeypairsTable>

export async function find(db: Db, userId: string, name: string): Promise<Keypair | undefined> {
  return await db
    .selectFrom('compute_keypairs')
    .selectAll()
    .where('user_id', '=', userId)
    .where('name', '=', name)
    .executeTakeFirst()
}

/** By name; `after` is the marker. */
export async function list(db: Db, userId: string, limit: number, after: string | null): Promise<Keypair[]> {
  let query = db.selectFrom('compute_keypairs').selectAll().where('user_id', '=', userId)
  if (after !== null) query = query.where('name', '>', after)
  return await query.orderBy('name').limit(limit).execute()
}

/** Numbers it and inserts it; undefined when the user has one of that name. */
export async function insert(db: Db, keypair: Omit<Keypair, 'number'>): Promise<Keypair | undefined> {
  const row = await db
    .selectFrom('compute_keypairs')
    .select((eb) => eb.fn.max('number').as('last'))
    .executeTakeFirst()
  return await db
    .insertInto('compute_keypairs')
    .values({ ...keypair, number: Number(row?.last ?? 0) + 1 })
    .onConflict((c) => c.doNothing())
    .returningAll()
    .executeTakeFirst()
}

export async function remove(db: Db, userId: string, name: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('compute_keypairs')
    .where('user_id', '=', userId)
    .where('name', '=', name)
    .executeTakeFirst()
  return numDeletedRows === 1n
}
