import type { Db } from '../../../platform/db/database.ts'

/** How many addresses of each subnet are given away. */
export async function usedPerSubnet(db: Db, networkIds: readonly string[]): Promise<Map<string, number>> {
  if (networkIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('network_ip_allocations as a')
    .innerJoin('network_subnets as s', 's.id', 'a.subnet_id')
    .select((eb) => ['a.subnet_id', eb.fn.countAll<number>().as('n')])
    .where('s.network_id', 'in', networkIds)
    .groupBy('a.subnet_id')
    .execute()
  return new Map(rows.map((row) => [row.subnet_id, Number(row.n)]))
}
