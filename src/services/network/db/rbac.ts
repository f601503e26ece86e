import type { Selectable } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { type Listing, listed, targets } from './listing.ts'
import type { RbacPoliciesTable, SharingAction } from './sharing-tables.ts'

export type RbacRow = Selectable<RbacPoliciesTable>

export async function find(db: Db, id: string): Promise<RbacRow | undefined> {
  return await db.selectFrom('network_rbac_policies').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function list(db: Db, listing: Listing): Promise<RbacRow[]> {
  return await listed(db.selectFrom('network_rbac_policies').selectAll(), listing)
}

/** False when there is such a policy already. */
export async function insert(trx: Trx, row: RbacPoliciesTable): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('network_rbac_policies')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function retarget(trx: Trx, id: string, target_project: string): Promise<void> {
  await trx.updateTable('network_rbac_policies').set({ target_project }).where('id', '=', id).execute()
}

export async function remove(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('network_rbac_policies').where('id', '=', id).execute()
}

/** With the object go the policies about it. */
export async function removeOf(trx: Trx, objectId: string): Promise<void> {
  await trx.deleteFrom('network_rbac_policies').where('object_id', '=', objectId).execute()
}

export async function ofObject(db: Db, objectId: string, action: SharingAction): Promise<RbacRow[]> {
  return await db
    .selectFrom('network_rbac_policies')
    .selectAll()
    .where('object_id', '=', objectId)
    .where('action', '=', action)
    .execute()
}

/** Of these objects, those that a project (or with null nobody in particular) may use as one of its own. */
export async function sharedAmong(db: Db, ids: readonly string[], projectId: string | null): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const rows = await db
    .selectFrom('network_rbac_policies')
    .select('object_id')
    .where('object_id', 'in', ids)
    .where('action', '=', 'access_as_shared')
    .where('target_project', 'in', targets(projectId))
    .execute()
  return new Set(rows.map((row) => row.object_id))
}

/** Whether a policy lets a project at an object, in any of these ways. */
export async function isOpenTo(
  db: Db,
  objectId: string,
  projectId: string | null,
  actions: readonly SharingAction[] = ['access_as_shared'],
): Promise<boolean> {
  const row = await db
    .selectFrom('network_rbac_policies')
    .select('id')
    .where('object_id', '=', objectId)
    .where('action', 'in', actions)
    .where('target_project', 'in', targets(projectId))
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
