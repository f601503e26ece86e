import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { AllocationsTable } from './tables.ts'

export type AllocationRow = Selectable<AllocationsTable>

export async function allocationsOf(db: Db, consumerIds: readonly string[]): Promise<AllocationRow[]> {
  if (consumerIds.length === 0) return []
  return await db.selectFrom('placement_allocations').selectAll().where('consumer_id', 'in', consumerIds).execute()
}

export async function allocationsOn(db: Db, providerId: string): Promise<AllocationRow[]> {
  return await db.selectFrom('placement_allocations').selectAll().where('provider_id', '=', providerId).execute()
}

export async function isHeld(db: Db, providerId: string): Promise<boolean> {
  const query = db.selectFrom('placement_allocations').select('consumer_id').where('provider_id', '=', providerId)
  return (await query.limit(1).executeTakeFirst()) !== undefined
}

export async function removeAll(db: Db, consumerIds: readonly string[]): Promise<void> {
  if (consumerIds.length === 0) return
  await db.deleteFrom('placement_allocations').where('consumer_id', 'in', consumerIds).execute()
}

export interface TypedUsage {
  type: string | null
  resourceClass: string
  used: number
  consumers: number
}

/** Sums by type of consumer and class, with how many consumers of the type there are. */
export async function typedUsages(
  db: Db,
  of: { projectId: string; userId: string | undefined },
): Promise<{ usages: TypedUsage[]; consumers: Map<string | null, number> }> {
  let query = db.selectFrom('placement_allocations').where('project_id', '=', of.projectId)
  if (of.userId !== undefined) query = query.where('user_id', '=', of.userId)
  const sums = await query
    .select((eb) => ['consumer_type', 'resource_class', eb.fn.sum<number>('used').as('used')])
    .groupBy(['consumer_type', 'resource_class'])
    .execute()
  const counts = await query
    .select((eb) => ['consumer_type', eb.fn.count<number>('consumer_id').distinct().as('consumers')])
    .groupBy('consumer_type')
    .execute()
  const consumers = new Map(counts.map((row) => [row.consumer_type, Number(row.consumers)]))
  const usages = sums.map((row) => ({
    ...{ type: row.consumer_type, resourceClass: row.resource_class, used: Number(row.used) },
    consumers: consumers.get(row.consumer_type) ?? 0,
  }))
  return { usages, consumers }
}
