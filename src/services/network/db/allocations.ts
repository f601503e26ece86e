import { type Selectable, sql } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import type { IpAllocationsTable } from './tables.ts'

export type AllocationRow = Selectable<IpAllocationsTable>

/**
 * Takes an address; false when a port has it already. Nothing is read beforehand: on PostgreSQL readers of a range would
 * collide with everyone who writes into it.
 */
export async function take(trx: Trx, row: AllocationRow): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('network_ip_allocations')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** The lowest free position from `first` to `last`, found by the index; null when there is none. */
export async function firstFree(db: Db, subnetId: string, first: number, last: number): Promise<number | null> {
  const taken = await db
    .selectFrom('network_ip_allocations')
    .select('position')
    .where('subnet_id', '=', subnetId)
    .where('position', '=', first)
    .executeTakeFirst()
  if (!taken) return first
  const before = await db
    .selectFrom('network_ip_allocations as a')
    .select('a.position')
    .where('a.subnet_id', '=', subnetId)
    .where('a.position', '>=', first)
    .where('a.position', '<', last)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('network_ip_allocations as next')
            .select('next.position')
            .where('next.subnet_id', '=', subnetId)
            .whereRef('next.position', '=', sql<number>`a.position + 1`),
        ),
      ),
    )
    .orderBy('a.position')
    .limit(1)
    .executeTakeFirst()
  return before?.position == null ? null : before.position + 1
}

/** Who has an address on a network. */
export async function holder(db: Db, networkId: string, ipAddress: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('network_ip_allocations')
    .select('port_id')
    .where('ip_address', '=', ipAddress)
    .where('network_id', '=', networkId)
    .executeTakeFirst()
  return row?.port_id
}

/** In each port's own order. */
export async function ofPorts(db: Db, portIds: readonly string[]): Promise<AllocationRow[]> {
  if (portIds.length === 0) return []
  return await db
    .selectFrom('network_ip_allocations')
    .selectAll()
    .where('port_id', 'in', portIds)
    .orderBy('port_id')
    .orderBy('ordinal')
    .execute()
}

export async function release(
  trx: Trx,
  portId: string,
  addresses: readonly { subnetId: string; ipAddress: string }[],
): Promise<void> {
  for (const { subnetId, ipAddress } of addresses) {
    await trx
      .deleteFrom('network_ip_allocations')
      .where('port_id', '=', portId)
      .where('subnet_id', '=', subnetId)
      .where('ip_address', '=', ipAddress)
      .execute()
  }
}

export async function releaseSubnet(trx: Trx, subnetId: string): Promise<void> {
  await trx.deleteFrom('network_ip_allocations').where('subnet_id', '=', subnetId).execute()
}

/** Puts a kept address at its new place among the port's addresses. */
export async function place(trx: Trx, portId: string, ipAddress: string, ordinal: number): Promise<void> {
  await trx
    .updateTable('network_ip_allocations')
    .set({ ordinal })
    .where('port_id', '=', portId)
    .where('ip_address', '=', ipAddress)
    .execute()
}
