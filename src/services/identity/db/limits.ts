import { type Selectable, sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { RegisteredLimitsTable } from './extension-tables.ts'
import { onPage, type Page } from './lists.ts'

/** What everybody may have of a resource unless a limit of their own says otherwise; -1: any amount. */
export interface RegisteredLimit {
  readonly id: string
  readonly serviceId: string
  readonly regionId: string | null
  readonly resourceName: string
  readonly defaultLimit: number
  readonly description: string | null
}

/** What one project, or one domain, may have of a resource. */
export interface Limit {
  readonly id: string
  readonly registeredLimitId: string
  readonly serviceId: string
  readonly regionId: string | null
  readonly resourceName: string
  readonly projectId: string | null
  readonly domainId: string | null
  readonly resourceLimit: number
  readonly description: string | null
}

const fromRow = (row: Selectable<RegisteredLimitsTable>): RegisteredLimit => ({
  id: row.id,
  serviceId: row.service_id,
  regionId: row.region_id || null,
  resourceName: row.resource_name,
  defaultLimit: row.default_limit,
  description: row.description,
})

const toRow = (limit: RegisteredLimit) => ({
  service_id: limit.serviceId,
  region_id: limit.regionId ?? '',
  resource_name: limit.resourceName,
  default_limit: limit.defaultLimit,
  description: limit.description,
})

export async function findRegistered(db: Db, id: string): Promise<RegisteredLimit | undefined> {
  const row = await db.selectFrom('identity_registered_limits').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

export async function findRegisteredFor(
  db: Db,
  of: Pick<RegisteredLimit, 'serviceId' | 'regionId' | 'resourceName'>,
): Promise<RegisteredLimit | undefined> {
  const row = await db
    .selectFrom('identity_registered_limits')
    .selectAll()
    .where('service_id', '=', of.serviceId)
    .where('region_id', '=', of.regionId ?? '')
    .where('resource_name', '=', of.resourceName)
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function listRegistered(db: Db, page: Page): Promise<RegisteredLimit[]> {
  let query = db.selectFrom('identity_registered_limits').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

/** False when the resource has one already. */
export async function insertRegistered(db: Db, limit: RegisteredLimit): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_registered_limits')
    .values({ id: limit.id, ...toRow(limit) })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** The caller has made sure of the resource. */
export async function updateRegistered(db: Db, limit: RegisteredLimit): Promise<void> {
  await db.updateTable('identity_registered_limits').set(toRow(limit)).where('id', '=', limit.id).execute()
}

export async function removeRegistered(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_registered_limits').where('id', '=', id).execute()
}

const withResource = (db: Db) =>
  db
    .selectFrom('identity_limits')
    .innerJoin('identity_registered_limits as r', 'r.id', 'identity_limits.registered_limit_id')
    .selectAll('identity_limits')
    .select(['r.service_id', 'r.region_id', 'r.resource_name'])

const limitOf = (row: Awaited<ReturnType<ReturnType<typeof withResource>['execute']>>[number]): Limit => ({
  id: row.id,
  registeredLimitId: row.registered_limit_id,
  serviceId: row.service_id,
  regionId: row.region_id || null,
  resourceName: row.resource_name,
  projectId: row.project_id,
  domainId: row.domain_id,
  resourceLimit: row.resource_limit,
  description: row.description,
})

export async function find(db: Db, id: string): Promise<Limit | undefined> {
  const row = await withResource(db).where('identity_limits.id', '=', id).executeTakeFirst()
  return row && limitOf(row)
}

/** Filters may name the columns of the registered limit too, under their own names. */
export async function list(db: Db, page: Page, seenBy: { domainId?: string | null } = {}): Promise<Limit[]> {
  let query = withResource(db).where(onPage(page, 'identity_limits.id')).orderBy('identity_limits.id')
  const { domainId } = seenBy
  if (domainId)
    query = query.where(
      sql<boolean>`(domain_id = ${domainId}
        or project_id in (select p.id from identity_projects p where p.domain_id = ${domainId}))`,
    )
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(limitOf)
}

/** False when the project or domain has one for the resource already. */
export async function insert(db: Db, limit: Omit<Limit, 'serviceId' | 'regionId' | 'resourceName'>): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_limits')
    .values({
      id: limit.id,
      registered_limit_id: limit.registeredLimitId,
      project_id: limit.projectId,
      domain_id: limit.domainId,
      holder_id: limit.projectId ?? limit.domainId ?? '',
      resource_limit: limit.resourceLimit,
      description: limit.description,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

export async function update(
  db: Db,
  { id, resourceLimit, description }: Pick<Limit, 'id' | 'resourceLimit' | 'description'>,
): Promise<void> {
  await db
    .updateTable('identity_limits')
    .set({ resource_limit: resourceLimit, description })
    .where('id', '=', id)
    .execute()
}

export async function remove(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_limits').where('id', '=', id).execute()
}

/** Whether any project or domain has a limit of its own for it. */
export async function isUsed(db: Db, registeredLimitId: string): Promise<boolean> {
  const row = await db
    .selectFrom('identity_limits')
    .select('id')
    .where('registered_limit_id', '=', registeredLimitId)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
