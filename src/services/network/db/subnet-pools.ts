import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import { rowsOf } from './rows.ts'
import type { SubnetPoolsTable } from './sharing-tables.ts'
import type { SubnetRow } from './subnets.ts'

export type SubnetPoolRow = Selectable<SubnetPoolsTable>

export const { find, list, byIds, insert, update, remove } = rowsOf('network_subnet_pools')

/** The pool that is taken when none is named. */
export async function defaultOf(db: Db, ipVersion: 4 | 6): Promise<SubnetPoolRow | undefined> {
  return await db
    .selectFrom('network_subnet_pools')
    .selectAll()
    .where('is_default', '=', 1)
    .where('ip_version', '=', ipVersion)
    .executeTakeFirst()
}

export async function ofScope(db: Db, addressScopeId: string): Promise<SubnetPoolRow[]> {
  return await db
    .selectFrom('network_subnet_pools')
    .selectAll()
    .where('address_scope_id', '=', addressScopeId)
    .execute()
}

/** The subnets whose addresses are of a pool. */
export async function subnetsOf(db: Db, poolId: string): Promise<SubnetRow[]> {
  return await db.selectFrom('network_subnets').selectAll().where('subnetpool_id', '=', poolId).execute()
}

/** The address scopes of networks, by IP version: those of the pools that their subnets are from. */
export async function scopesOfNetworks(
  db: Db,
  networkIds: readonly string[],
): Promise<{ network_id: string; ip_version: number; address_scope_id: string }[]> {
  if (networkIds.length === 0) return []
  const rows = await db
    .selectFrom('network_subnets as s')
    .innerJoin('network_subnet_pools as p', 'p.id', 's.subnetpool_id')
    .select(['s.network_id', 's.ip_version', 'p.address_scope_id'])
    .distinct()
    .where('s.network_id', 'in', networkIds)
    .where('p.address_scope_id', 'is not', null)
    .execute()
  return rows.map((row) => ({ ...row, address_scope_id: row.address_scope_id ?? '' }))
}
