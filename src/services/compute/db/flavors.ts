import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import { NotFound } from '../../../platform/errors.ts'
import type { FlavorsTable } from './tables.ts'

export interface Flavor {
  id: string
  name: string
  vcpus: number
  memoryMiB: number
  diskGiB: number
  ephemeralGiB: number
  swapMiB: number
  rxtxFactor: number
  isPublic: boolean
  description: string | null
  createdAt: string
  extraSpecs: Readonly<Record<string, string>>
}

const flavorOf = (row: Selectable<FlavorsTable>, extraSpecs: Readonly<Record<string, string>>): Flavor => ({
  id: row.id,
  name: row.name,
  vcpus: row.vcpus,
  memoryMiB: row.memory_mib,
  diskGiB: row.disk_gib,
  ephemeralGiB: row.ephemeral_gib,
  swapMiB: row.swap_mib,
  rxtxFactor: row.rxtx_factor,
  isPublic: row.is_public === 1,
  description: row.description,
  createdAt: row.created_at,
  extraSpecs,
})

/** Who looks: an admin sees all flavors, others the public ones and those their project was given. */
export interface Viewer {
  isAdmin: boolean
  projectId: string | null
}

export async function find(db: Db, id: string, viewer: Viewer): Promise<Flavor | undefined> {
  let query = db.selectFrom('compute_flavors').selectAll().where('id', '=', id)
  if (!viewer.isAdmin) query = query.where((eb) => visibleTo(eb, viewer))
  const row = await query.executeTakeFirst()
  return row && flavorOf(row, (await specsOf(db, [row.id])).get(row.id) ?? {})
}

/** @throws NotFound also for a private flavor the viewer was not given. */
export async function get(db: Db, id: string, viewer: Viewer): Promise<Flavor> {
  const flavor = await find(db, id, viewer)
  if (!flavor) throw new NotFound('Flavor', id)
  return flavor
}

export interface FlavorQuery extends Viewer {
  /** true: public only; false: private only; null: both. */
  isPublic: boolean | null
  minMemoryMiB: number
  minDiskGiB: number
  sortKey: keyof FlavorsTable
  sortDir: 'asc' | 'desc'
  limit: number
  marker: string | null
}

/**
 * A page of flavors with their extra specs: two queries. The whole list is walked to the marker, since flavors are few
 * and any column may be the order.
 * @throws NotFound when the marker is no flavor of this list.
 */
export async function list(db: Db, query: FlavorQuery): Promise<Flavor[]> {
  let select = db
    .selectFrom('compute_flavors')
    .selectAll()
    .where('memory_mib', '>=', query.minMemoryMiB)
    .where('disk_gib', '>=', query.minDiskGiB)
    .orderBy(query.sortKey, query.sortDir)
    .orderBy('id', query.sortDir)
  if (query.isPublic === true && !query.isAdmin) select = select.where((eb) => visibleTo(eb, query))
  else if (query.isPublic !== null) select = select.where('is_public', '=', query.isPublic ? 1 : 0)
  else if (!query.isAdmin) select = select.where((eb) => visibleTo(eb, query))
  const rows = await select.execute()
  const from = query.marker === null ? 0 : rows.findIndex((row) => row.id === query.marker) + 1
  if (query.marker !== null && from === 0) throw new NotFound('Marker', query.marker)
  const page = rows.slice(from, from + query.limit)
  const specs = await specsOf(
    db,
    page.map((row) => row.id),
  )
  return page.map((row) => flavorOf(row, specs.get(row.id) ?? {}))
}

async function specsOf(db: Db, ids: readonly string[]): Promise<Map<string, Record<string, string>>> {
  const all = new Map<string, Record<string, string>>()
  if (ids.length === 0) return all
  const rows = await db
    .selectFrom('compute_flavor_specs')
    .selectAll()
    .where('flavor_id', 'in', ids)
    .orderBy('key')
    .execute()
  for (const { flavor_id, key, value } of rows) {
    const specs = all.get(flavor_id) ?? {}
    specs[key] = value
    all.set(flavor_id, specs)
  }
  return all
}

type Where = Parameters<Extract<Parameters<ReturnType<typeof from>['where']>[0], (eb: never) => unknown>>[0]
const from = (db: Db) => db.selectFrom('compute_flavors')

function visibleTo(eb: Where, { projectId }: Viewer) {
  return eb.or([
    eb('is_public', '=', 1),
    eb(
      'id',
      'in',
      eb
        .selectFrom('compute_flavor_access')
        .select('flavor_id')
        .where('project_id', '=', projectId ?? ''),
    ),
  ])
}

/** False when a flavor of that id or name exists. */
export async function insert(db: Db, flavor: Omit<Flavor, 'extraSpecs'>): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('compute_flavors')
    .values({
      id: flavor.id,
      name: flavor.name,
      vcpus: flavor.vcpus,
      memory_mib: flavor.memoryMiB,
      disk_gib: flavor.diskGiB,
      ephemeral_gib: flavor.ephemeralGiB,
      swap_mib: flavor.swapMiB,
      rxtx_factor: flavor.rxtxFactor,
      is_public: flavor.isPublic ? 1 : 0,
      description: flavor.description,
      created_at: flavor.createdAt,
      updated_at: null,
    })
    .onConflict((c) => c.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

export async function setDescription(db: Db, id: string, description: string | null, at: string): Promise<void> {
  await db.updateTable('compute_flavors').set({ description, updated_at: at }).where('id', '=', id).execute()
}

export async function remove(db: Db, id: string): Promise<boolean> {
  await db.deleteFrom('compute_flavor_specs').where('flavor_id', '=', id).execute()
  await db.deleteFrom('compute_flavor_access').where('flavor_id', '=', id).execute()
  const { numDeletedRows } = await db.deleteFrom('compute_flavors').where('id', '=', id).executeTakeFirst()
  return numDeletedRows === 1n
}

export async function putSpecs(db: Db, flavorId: string, specs: Readonly<Record<string, string>>): Promise<void> {
  const rows = Object.entries(specs).map(([key, value]) => ({ flavor_id: flavorId, key, value }))
  if (rows.length === 0) return
  await db
    .insertInto('compute_flavor_specs')
    .values(rows)
    .onConflict((c) => c.columns(['flavor_id', 'key']).doUpdateSet((eb) => ({ value: eb.ref('excluded.value') })))
    .execute()
}

export async function removeSpec(db: Db, flavorId: string, key: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('compute_flavor_specs')
    .where('flavor_id', '=', flavorId)
    .where('key', '=', key)
    .executeTakeFirst()
  return numDeletedRows === 1n
}

/** Projects that a private flavor was given to. */
export async function access(db: Db, flavorId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('compute_flavor_access')
    .select('project_id')
    .where('flavor_id', '=', flavorId)
    .orderBy('project_id')
    .execute()
  return rows.map((row) => row.project_id)
}

/** False when the project has it already. */
export async function addAccess(db: Db, flavorId: string, projectId: string): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('compute_flavor_access')
    .values({ flavor_id: flavorId, project_id: projectId })
    .onConflict((c) => c.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

export async function removeAccess(db: Db, flavorId: string, projectId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('compute_flavor_access')
    .where('flavor_id', '=', flavorId)
    .where('project_id', '=', projectId)
    .executeTakeFirst()
  return numDeletedRows === 1n
}
