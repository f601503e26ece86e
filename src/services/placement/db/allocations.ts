import type { Db } from '../../../platform/db/database.ts'
import type { AllocationsTable } from './tables.ts'

/**
 * Takes `amount` on a provider unless that would exceed `capacity`; false when it would. The condition stands in the
 * update itself, so it holds on every engine and isolation level.
 */
export async function take(
  db: Db,
  providerId: string,
  resourceClass: string,
  amount: number,
  capacity: number,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('placement_inventories')
    .set((eb) => ({ used: eb('used', '+', amount) }))
    .where('provider_id', '=', providerId)
    .where('resource_class', '=', resourceClass)
    .where('used', '<=', capacity - amount)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

export async function insert(db: Db, rows: readonly AllocationsTable[]): Promise<void> {
  if (rows.length > 0)
    await db
      .insertInto('placement_allocations')
      .values([...rows])
      .execute()
}

/** Removes what a consumer holds and gives it back to its providers. Repeatable. */
export async function remove(db: Db, consumerId: string): Promise<void> {
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
