import { type Insertable, sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { AllocationsTable } from './tables.ts'

/**
 * Takes all of `resources` on a provider, or nothing; false when it has not the room. The condition stands in the update
 * itself, so it holds on every engine and isolation level, whatever the caller thought was free.
 */
export async function take(db: Db, providerId: string, resources: ReadonlyMap<string, number>): Promise<boolean> {
  const wanted = [...resources].filter(([, amount]) => amount > 0)
  if (wanted.length === 0) return true
  const fits = wanted.map(
    ([name, amount]) => sql`(resource_class = ${name} and used + ${amount} <= (total - reserved) * allocation_ratio)`,
  )
  const amounts = wanted.map(([name, amount]) => sql`when resource_class = ${name} then ${amount}`)
  const change = (sign: '+' | '-', which: typeof fits) =>
    sql<{ resource_class: string }>`
      update placement_inventories
      set used = used ${sql.raw(sign)} case ${sql.join(amounts, sql` `)} else 0 end
      where provider_id = ${providerId} and (${sql.join(which, sql` or `)})
      returning resource_class`.execute(db)
  const { rows } = await change('+', fits)
  if (rows.length === wanted.length) return true
  if (rows.length > 0) {
    await change(
      '-',
      rows.map((row) => sql`resource_class = ${row.resource_class}`),
    )
  }
  return false
}

export async function insert(db: Db, rows: readonly Insertable<AllocationsTable>[]): Promise<void> {
  if (rows.length > 0)
    await db
      .insertInto('placement_allocations')
      .values([...rows])
      .execute()
}

export interface Held {
  provider_id: string
  resource_class: string
  used: number
}

/** Removes what a consumer holds and gives it back to its providers; tells what it was. Repeatable. */
export async function remove(db: Db, consumerId: string): Promise<Held[]> {
  const held = await db
    .deleteFrom('placement_allocations')
    .where('consumer_id', '=', consumerId)
    .returning(['provider_id', 'resource_class', 'used'])
    .execute()
  for (const { provider_id, resource_class, used } of held) {
    await db
      .updateTable('placement_inventories')
      .set((eb) => ({ used: eb('used', '-', used) }))
      .where('provider_id', '=', provider_id)
      .where('resource_class', '=', resource_class)
      .execute()
  }
  return held
}

/** Sums by class over a project's consumers, or over all. */
export async function usages(db: Db, projectId?: string): Promise<Map<string, number>> {
  let query = db
    .selectFrom('placement_allocations')
    .select((eb) => ['resource_class', eb.fn.sum<number>('used').as('used')])
    .groupBy('resource_class')
  if (projectId !== undefined) query = query.where('project_id', '=', projectId)
  return new Map((await query.execute()).map((row) => [row.resource_class, Number(row.used)]))
}
