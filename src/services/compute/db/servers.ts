import { type Insertable, sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import { NotFound } from '../../../platform/errors.ts'
import { columnsOf, type Server, type ServerPatch, serverOf } from './server.ts'
import type { ServersTable } from './tables.ts'

export type { Exit, Server, ServerFault, ServerFlavor, ServerImage, ServerPatch } from './server.ts'

/** Written out, not bound: an index over part of the table serves only a query that says the part in its text. */
const notDeleted = sql.lit(0 as const)

export async function insert(db: Db, servers: readonly Server[]): Promise<void> {
  const rows = servers.map(
    (server) => ({ ...columnsOf(server), id: server.id, deleted: 0 }) as Insertable<ServersTable>,
  )
  await db.insertInto('compute_servers').values(rows).execute()
}

export async function find(db: Db, id: string): Promise<Server | undefined> {
  const row = await db
    .selectFrom('compute_servers')
    .selectAll()
    .where('id', '=', id)
    .where('deleted', '=', notDeleted)
    .executeTakeFirst()
  return row && serverOf(row)
}

/** @throws NotFound also for a deleted server. Whose it is, is the policy's question. */
export async function get(db: Db, id: string): Promise<Server> {
  const server = await find(db, id)
  if (!server) throw new NotFound('Instance', id)
  return server
}

export async function findFirstNamed(db: Db, name: string): Promise<Server | undefined> {
  const row = await db
    .selectFrom('compute_servers')
    .selectAll()
    .where('name', '=', name)
    .where('deleted', '=', notDeleted)
    .orderBy('created_at')
    .limit(1)
    .executeTakeFirst()
  return row && serverOf(row)
}

export async function listNamed(db: Db, name: string, limit: number): Promise<Server[]> {
  const query = db.selectFrom('compute_servers').selectAll().where('name', '=', name).where('deleted', '=', notDeleted)
  return (await query.orderBy('created_at').limit(limit).execute()).map(serverOf)
}

/** Deleted ones too: their actions stay to be read. */
export async function findEvenDeleted(db: Db, id: string): Promise<Server | undefined> {
  const row = await db.selectFrom('compute_servers').selectAll().where('id', '=', id).executeTakeFirst()
  return row && serverOf(row)
}

export async function listByIds(db: Db, ids: readonly string[]): Promise<Server[]> {
  if (ids.length === 0) return []
  const rows = await db.selectFrom('compute_servers').selectAll().where('id', 'in', ids).execute()
  return rows.map(serverOf)
}

/** Everything not deleted on a host. */
export async function listByHost(db: Db, host: string): Promise<Server[]> {
  const rows = await db
    .selectFrom('compute_servers')
    .selectAll()
    .where('host', '=', host)
    .where('deleted', '=', notDeleted)
    .execute()
  return rows.map(serverOf)
}

export interface Unsettled {
  id: string
  host: string
  generation: number
  tries: number
}

/**
 * Servers whose host has not done the latest order, and that may be tried now; longest waiting first. No more than it
 * takes to see what is to be sent: most of them were sent already.
 */
export async function unsettled(db: Db, nowMs: number, limit: number): Promise<Unsettled[]> {
  const rows = await db
    .selectFrom('compute_servers')
    .select(['id', 'host', 'generation', 'tries'])
    .whereRef('seen_generation', '<', 'generation')
    .where('deleted', '=', notDeleted)
    .where('host', 'is not', null)
    .where((eb) => eb.or([eb('retry_at_ms', 'is', null), eb('retry_at_ms', '<=', nowMs)]))
    .orderBy('updated_at')
    .limit(limit)
    .execute()
  return rows as Unsettled[]
}

/** How many servers of each host something is being done about. */
export async function busyByHost(db: Db): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('compute_servers')
    .select((eb) => ['host', eb.fn.countAll<number>().as('servers')])
    .whereRef('seen_generation', '<', 'generation')
    .where('deleted', '=', notDeleted)
    .where('host', 'is not', null)
    .groupBy('host')
    .execute()
  return new Map(rows.map((row) => [row.host ?? '', Number(row.servers)]))
}

/** How many servers a host has. */
export async function countOn(db: Db, host: string): Promise<number> {
  const row = await db
    .selectFrom('compute_servers')
    .select((eb) => eb.fn.countAll<number>().as('servers'))
    .where('host', '=', host)
    .where('deleted', '=', notDeleted)
    .executeTakeFirstOrThrow()
  return Number(row.servers)
}

/** Deleted ones whose time to be restored is over. */
export async function reclaimable(db: Db, nowMs: number, limit: number): Promise<{ id: string }[]> {
  return await db
    .selectFrom('compute_servers')
    .select('id')
    .where('deleted', '=', notDeleted)
    .where('reclaim_at_ms', 'is not', null)
    .where('reclaim_at_ms', '<=', nowMs)
    .orderBy('reclaim_at_ms')
    .limit(limit)
    .execute()
}

/** Changes a server that is not deleted. */
export async function update(db: Db, id: string, patch: ServerPatch): Promise<void> {
  await db
    .updateTable('compute_servers')
    .set(columnsOf(patch))
    .where('id', '=', id)
    .where('deleted', '=', notDeleted)
    .execute()
}

/** The row stays: its actions and `changes-since` still tell of it. */
export async function markDeleted(db: Db, id: string, at: string): Promise<void> {
  await db
    .updateTable('compute_servers')
    .set({
      ...{ vm_state: 'deleted', task_state: null, power_state: 0, deleted: 1, deleted_at: at, updated_at: at },
      ...{ locked_by: null, locked_reason: null },
    })
    .where('id', '=', id)
    .execute()
}

export interface HostUsage {
  vcpus: number
  memoryMiB: number
  diskGiB: number
  servers: number
  building: number
}

/** What the servers of each host take of it, with one query. */
export async function usageByHost(db: Db): Promise<Map<string, HostUsage>> {
  const rows = await db
    .selectFrom('compute_servers')
    .select((eb) => [
      'host',
      eb.fn.sum<number>('vcpus').as('vcpus'),
      eb.fn.sum<number>('memory_mib').as('memory'),
      eb.fn.sum<number>('disk_gib').as('disk'),
      eb.fn.countAll<number>().as('servers'),
      eb.fn.sum<number>(eb.case().when('vm_state', '=', 'building').then(1).else(0).end()).as('building'),
    ])
    .where('deleted', '=', notDeleted)
    .where('host', 'is not', null)
    .groupBy('host')
    .execute()
  return new Map(
    rows.map((row) => [
      row.host ?? '',
      {
        ...{ vcpus: Number(row.vcpus), memoryMiB: Number(row.memory), diskGiB: Number(row.disk) },
        ...{ servers: Number(row.servers), building: Number(row.building) },
      },
    ]),
  )
}

/** Ids and names of the servers of these hosts, with one query. */
export async function namesByHost(
  db: Db,
  hosts: readonly string[],
): Promise<Map<string, { id: string; name: string }[]>> {
  const all = new Map<string, { id: string; name: string }[]>()
  if (hosts.length === 0) return all
  const rows = await db
    .selectFrom('compute_servers')
    .select(['host', 'id', 'name'])
    .where('deleted', '=', notDeleted)
    .where('host', 'in', hosts)
    .orderBy('created_at')
    .execute()
  for (const { host, id, name } of rows) {
    const servers = all.get(host ?? '')
    if (servers) servers.push({ id, name })
    else all.set(host ?? '', [{ id, name }])
  }
  return all
}

/** What each project's servers hold of a host. */
export async function usageByProject(
  db: Db,
  host: string,
): Promise<{ projectId: string; vcpus: number; memoryMiB: number; diskGiB: number }[]> {
  const rows = await db
    .selectFrom('compute_servers')
    .select((eb) => [
      'project_id',
      eb.fn.sum<number>('vcpus').as('vcpus'),
      eb.fn.sum<number>('memory_mib').as('memory'),
      eb.fn.sum<number>('disk_gib').as('disk'),
    ])
    .where('deleted', '=', notDeleted)
    .where('host', '=', host)
    .groupBy('project_id')
    .orderBy('project_id')
    .execute()
  return rows.map((row) => ({
    projectId: row.project_id,
    ...{ vcpus: Number(row.vcpus), memoryMiB: Number(row.memory), diskGiB: Number(row.disk) },
  }))
}

/** Those of `ids` that servers are made of, also ones that go. */
export async function imagesInUse(db: Db, ids: readonly string[]): Promise<Set<string>> {
  const rows = await db
    .selectFrom('compute_servers')
    .select(['image_id', 'shelved_image_id'])
    .where((eb) => eb.or([eb('image_id', 'in', [...ids]), eb('shelved_image_id', 'in', [...ids])]))
    .execute()
  return new Set(rows.flatMap((row) => [row.image_id, row.shelved_image_id]).filter((id) => id !== null))
}
