import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import { rowsOf } from './rows.ts'
import type { AddressGroupsTable } from './sharing-tables.ts'

export type AddressGroupRow = Selectable<AddressGroupsTable>

export const { find, list, byIds, insert, update, remove } = rowsOf('network_address_groups')

/** The security groups whose rules name an address group, with the project of each rule. */
export async function usersOf(db: Db, id: string): Promise<{ group_id: string; project_id: string }[]> {
  return await db
    .selectFrom('network_security_group_rules')
    .select(['group_id', 'project_id'])
    .distinct()
    .where('remote_address_group_id', '=', id)
    .execute()
}
