import { type Insertable, type Selectable, sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { ServicesTable } from './tables.ts'

export type ComputeServiceRow = Selectable<ServicesTable>

export async function list(db: Db): Promise<ComputeServiceRow[]> {
  return await db.selectFrom('compute_services').selectAll().orderBy('number').execute()
}

export async function findByHost(db: Db, host: string): Promise<ComputeServiceRow | undefined> {
  return await db.selectFrom('compute_services').selectAll().where('host', '=', host).executeTakeFirst()
}

/** The next free number; in the transaction that inserts it. */
export async function nextNumber(db: Db): Promise<number> {
  const row = await db
    .selectFrom('compute_services')
    .select((eb) => eb.fn.max('number').as('last'))
    .executeTakeFirst()
  return Number(row?.last ?? 0) + 1
}

export async function insert(db: Db, row: Insertable<ServicesTable>): Promise<void> {
  await db
    .insertInto('compute_services')
    .values(row)
    .onConflict((c) => c.doNothing())
    .execute()
}

export async function update(
  db: Db,
  id: string,
  patch: Partial<Pick<ServicesTable, 'disabled' | 'disabled_reason' | 'forced_down'>> & { updated_at: string },
): Promise<void> {
  await db.updateTable('compute_services').set(patch).where('id', '=', id).execute()
}

/** Counts a server that the host could not make; one that it made begins the count anew. */
export async function countBuild(db: Db, host: string, made: boolean): Promise<void> {
  const update = db.updateTable('compute_services').where('host', '=', host)
  if (made) await update.set({ failed_builds: 0 }).where('failed_builds', '>', 0).execute()
  else await update.set({ failed_builds: sql<number>`failed_builds + 1` }).execute()
}

export async function remove(db: Db, id: string): Promise<void> {
  await db.deleteFrom('compute_services').where('id', '=', id).execute()
}
