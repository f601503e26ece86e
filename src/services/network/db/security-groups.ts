import { type Insertable, type Selectable, sql, type Updateable } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { type Listing, listed } from './listing.ts'
import type { GroupChangesTable, SecurityGroupRulesTable, SecurityGroupsTable } from './tables.ts'

export type GroupRow = Selectable<SecurityGroupsTable>
export type RuleRow = Selectable<SecurityGroupRulesTable>

export async function find(db: Db, id: string): Promise<GroupRow | undefined> {
  return await db.selectFrom('network_security_groups').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function list(db: Db, listing: Listing): Promise<GroupRow[]> {
  return await listed(db.selectFrom('network_security_groups').selectAll(), listing)
}

export async function byIds(db: Db, ids: readonly string[]): Promise<Map<string, GroupRow>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('network_security_groups').selectAll().where('id', 'in', ids).execute()
  return new Map(rows.map((row) => [row.id, row]))
}

/** A project's groups, or everybody's. */
export async function ofProject(db: Db, projectId: string | null): Promise<GroupRow[]> {
  let select = db.selectFrom('network_security_groups').selectAll()
  if (projectId !== null) select = select.where('project_id', '=', projectId)
  return await select.orderBy('project_id').orderBy('name').orderBy('id').execute()
}

/** A project's groups that are called this, or have this id. */
export async function named(db: Db, projectId: string, nameOrId: string): Promise<GroupRow[]> {
  return await db
    .selectFrom('network_security_groups')
    .selectAll()
    .where('project_id', '=', projectId)
    .where((eb) => eb.or([eb('name', '=', nameOrId), eb('id', '=', nameOrId)]))
    .execute()
}

export async function defaultOf(db: Db, projectId: string): Promise<GroupRow | undefined> {
  return await db
    .selectFrom('network_security_groups')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('is_default', '=', 1)
    .executeTakeFirst()
}

/** False when the project has its default group already. */
export async function insert(trx: Trx, row: Insertable<SecurityGroupsTable>): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('network_security_groups')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function update(trx: Trx, id: string, changes: Updateable<SecurityGroupsTable>): Promise<void> {
  await trx
    .updateTable('network_security_groups')
    .set({ ...changes, revision_number: sql<number>`revision_number + 1` })
    .where('id', '=', id)
    .execute()
}

/** Its rules go with it, and the rules of others that name it. */
export async function remove(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('network_security_groups').where('id', '=', id).execute()
}

export async function isUsed(db: Db, id: string): Promise<boolean> {
  const row = await db
    .selectFrom('network_port_groups')
    .select('port_id')
    .where('group_id', '=', id)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

export async function findRule(db: Db, id: string): Promise<RuleRow | undefined> {
  return await db.selectFrom('network_security_group_rules').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function listRules(db: Db, listing: Listing): Promise<RuleRow[]> {
  return await listed(db.selectFrom('network_security_group_rules').selectAll(), listing)
}

export async function rulesOf(db: Db, groupIds: readonly string[]): Promise<RuleRow[]> {
  if (groupIds.length === 0) return []
  return await db
    .selectFrom('network_security_group_rules')
    .selectAll()
    .where('group_id', 'in', groupIds)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
}

/** The rule of a group that says just this. */
export async function ruleLike(db: Db, groupId: string, fingerprint: string): Promise<RuleRow | undefined> {
  return await db
    .selectFrom('network_security_group_rules')
    .selectAll()
    .where('group_id', '=', groupId)
    .where('fingerprint', '=', fingerprint)
    .executeTakeFirst()
}

/** False when the group has the same rule already. */
export async function insertRule(trx: Trx, row: Insertable<SecurityGroupRulesTable>): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('network_security_group_rules')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function removeRule(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('network_security_group_rules').where('id', '=', id).execute()
}

/** Groups whose rules name this one. */
export async function naming(db: Db, id: string): Promise<string[]> {
  const rows = await db
    .selectFrom('network_security_group_rules')
    .select('group_id')
    .distinct()
    .where('remote_group_id', '=', id)
    .execute()
  return rows.map((row) => row.group_id)
}

/** Groups that this one's rules name. */
export async function namedBy(db: Db, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('network_security_group_rules')
    .select('remote_group_id')
    .distinct()
    .where('group_id', 'in', ids)
    .where('remote_group_id', 'is not', null)
    .execute()
  return rows.flatMap((row) => row.remote_group_id ?? [])
}

/** Writes down that hosts must hear of these groups again: rules or members have changed. */
export async function insertChanges(trx: Trx, rows: readonly GroupChangesTable[]): Promise<void> {
  if (rows.length > 0) await trx.insertInto('network_group_changes').values(rows).execute()
}
