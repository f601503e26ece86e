import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import { flag, objectOf, onPage, type Page } from './lists.ts'
import type { EndpointsTable, RegionsTable, ServicesTable } from './tables.ts'

export interface Region {
  readonly id: string
  readonly description: string
  readonly parentRegionId: string | null
  readonly extra: Readonly<Record<string, unknown>>
}

export interface CatalogService {
  readonly id: string
  readonly type: string
  readonly name: string | null
  readonly description: string | null
  readonly enabled: boolean
  readonly extra: Readonly<Record<string, unknown>>
}

export interface Endpoint {
  readonly id: string
  readonly serviceId: string
  readonly regionId: string | null
  readonly interface: string
  readonly url: string
  readonly enabled: boolean
  readonly extra: Readonly<Record<string, unknown>>
}

const regionOf = (row: Selectable<RegionsTable>): Region => ({
  id: row.id,
  description: row.description,
  parentRegionId: row.parent_region_id,
  extra: objectOf(row.extra),
})

const serviceOf = (row: Selectable<ServicesTable>): CatalogService => ({
  id: row.id,
  type: row.type,
  name: row.name,
  description: row.description,
  enabled: row.enabled === 1,
  extra: objectOf(row.extra),
})

const endpointOf = (row: Selectable<EndpointsTable>): Endpoint => ({
  id: row.id,
  serviceId: row.service_id,
  regionId: row.region_id,
  interface: row.interface,
  url: row.url,
  enabled: row.enabled === 1,
  extra: objectOf(row.extra),
})

export async function findRegion(db: Db, id: string): Promise<Region | undefined> {
  const row = await db.selectFrom('identity_regions').selectAll().where('id', '=', id).executeTakeFirst()
  return row && regionOf(row)
}

export async function listRegions(db: Db, page: Page): Promise<Region[]> {
  let query = db.selectFrom('identity_regions').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(regionOf)
}

/** False when the id is taken. */
export async function insertRegion(db: Db, region: Region): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_regions')
    .values({
      id: region.id,
      description: region.description,
      parent_region_id: region.parentRegionId,
      extra: JSON.stringify(region.extra),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

export async function updateRegion(db: Db, region: Region): Promise<void> {
  await db
    .updateTable('identity_regions')
    .set({
      description: region.description,
      parent_region_id: region.parentRegionId,
      extra: JSON.stringify(region.extra),
    })
    .where('id', '=', region.id)
    .execute()
}

export async function removeRegion(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_regions').where('id', '=', id).execute()
}

export async function findService(db: Db, id: string): Promise<CatalogService | undefined> {
  const row = await db.selectFrom('identity_services').selectAll().where('id', '=', id).executeTakeFirst()
  return row && serviceOf(row)
}

export async function listServices(db: Db, page: Page): Promise<CatalogService[]> {
  let query = db.selectFrom('identity_services').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(serviceOf)
}

export async function insertService(db: Db, service: CatalogService): Promise<void> {
  await db
    .insertInto('identity_services')
    .values({ ...service, enabled: flag(service.enabled), extra: JSON.stringify(service.extra) })
    .execute()
}

export async function updateService(db: Db, { id, ...service }: CatalogService): Promise<void> {
  await db
    .updateTable('identity_services')
    .set({ ...service, enabled: flag(service.enabled), extra: JSON.stringify(service.extra) })
    .where('id', '=', id)
    .execute()
}

/** Its endpoints go with it. */
export async function removeService(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_services').where('id', '=', id).execute()
}

export async function findEndpoint(db: Db, id: string): Promise<Endpoint | undefined> {
  const row = await db.selectFrom('identity_endpoints').selectAll().where('id', '=', id).executeTakeFirst()
  return row && endpointOf(row)
}

export async function listEndpoints(db: Db, page: Page): Promise<Endpoint[]> {
  let query = db.selectFrom('identity_endpoints').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(endpointOf)
}

const endpointRow = (endpoint: Endpoint) => ({
  service_id: endpoint.serviceId,
  region_id: endpoint.regionId,
  interface: endpoint.interface,
  url: endpoint.url,
  enabled: flag(endpoint.enabled),
  extra: JSON.stringify(endpoint.extra),
})

export async function insertEndpoint(db: Db, endpoint: Endpoint): Promise<void> {
  await db
    .insertInto('identity_endpoints')
    .values({ id: endpoint.id, ...endpointRow(endpoint) })
    .execute()
}

export async function updateEndpoint(db: Db, endpoint: Endpoint): Promise<void> {
  await db.updateTable('identity_endpoints').set(endpointRow(endpoint)).where('id', '=', endpoint.id).execute()
}

export async function removeEndpoint(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_endpoints').where('id', '=', id).execute()
}
