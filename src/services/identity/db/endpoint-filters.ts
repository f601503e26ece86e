import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { EndpointGroupsTable } from './extension-tables.ts'
import { objectOf, onPage, type Page } from './lists.ts'

export interface EndpointGroup {
  readonly id: string
  readonly name: string
  readonly description: string | null
  /** What its endpoints have in common: `service_id`, `region_id`, `interface`. */
  readonly filters: Readonly<Record<string, unknown>>
}

const fromRow = (row: Selectable<EndpointGroupsTable>): EndpointGroup => ({ ...row, filters: objectOf(row.filters) })

export async function findGroup(db: Db, id: string): Promise<EndpointGroup | undefined> {
  const row = await db.selectFrom('identity_endpoint_groups').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

export async function listGroups(db: Db, page: Page): Promise<EndpointGroup[]> {
  let query = db.selectFrom('identity_endpoint_groups').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

export async function insertGroup(db: Db, group: EndpointGroup): Promise<void> {
  await db
    .insertInto('identity_endpoint_groups')
    .values({ ...group, filters: JSON.stringify(group.filters) })
    .execute()
}

export async function updateGroup(db: Db, { id, ...group }: EndpointGroup): Promise<void> {
  await db
    .updateTable('identity_endpoint_groups')
    .set({ ...group, filters: JSON.stringify(group.filters) })
    .where('id', '=', id)
    .execute()
}

/** With its associations. */
export async function removeGroup(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_endpoint_groups').where('id', '=', id).execute()
}

/** False when the project has it already. */
export async function addEndpoint(db: Db, projectId: string, endpointId: string): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_project_endpoints')
    .values({ project_id: projectId, endpoint_id: endpointId })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

export async function hasEndpoint(db: Db, projectId: string, endpointId: string): Promise<boolean> {
  const row = await db
    .selectFrom('identity_project_endpoints')
    .select('project_id')
    .where('project_id', '=', projectId)
    .where('endpoint_id', '=', endpointId)
    .executeTakeFirst()
  return row !== undefined
}

/** False when the project did not have it. */
export async function removeEndpoint(db: Db, projectId: string, endpointId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('identity_project_endpoints')
    .where('project_id', '=', projectId)
    .where('endpoint_id', '=', endpointId)
    .executeTakeFirst()
  return numDeletedRows === 1n
}

export async function endpointIdsOf(db: Db, projectId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('identity_project_endpoints')
    .select('endpoint_id')
    .where('project_id', '=', projectId)
    .execute()
  return rows.map((row) => row.endpoint_id)
}

export async function projectIdsWithEndpoint(db: Db, endpointId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('identity_project_endpoints')
    .select('project_id')
    .where('endpoint_id', '=', endpointId)
    .execute()
  return rows.map((row) => row.project_id)
}

/** False when the project has it already. */
export async function addGroup(db: Db, projectId: string, groupId: string): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_project_endpoint_groups')
    .values({ project_id: projectId, endpoint_group_id: groupId })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** False when the project did not have it. */
export async function takeGroup(db: Db, projectId: string, groupId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('identity_project_endpoint_groups')
    .where('project_id', '=', projectId)
    .where('endpoint_group_id', '=', groupId)
    .executeTakeFirst()
  return numDeletedRows === 1n
}

export async function groupsOf(db: Db, projectId: string): Promise<EndpointGroup[]> {
  const rows = await db
    .selectFrom('identity_endpoint_groups')
    .innerJoin('identity_project_endpoint_groups as of', 'of.endpoint_group_id', 'identity_endpoint_groups.id')
    .selectAll('identity_endpoint_groups')
    .where('of.project_id', '=', projectId)
    .orderBy('identity_endpoint_groups.id')
    .execute()
  return rows.map(fromRow)
}

export async function projectIdsWithGroup(db: Db, groupId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('identity_project_endpoint_groups')
    .select('project_id')
    .where('endpoint_group_id', '=', groupId)
    .execute()
  return rows.map((row) => row.project_id)
}

/** Has any project chosen endpoints? */
export async function areAny(db: Db): Promise<boolean> {
  const single = await db.selectFrom('identity_project_endpoints').select('project_id').limit(1).executeTakeFirst()
  if (single) return true
  const group = await db.selectFrom('identity_project_endpoint_groups').select('project_id').limit(1).executeTakeFirst()
  return group !== undefined
}
