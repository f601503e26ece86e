import type { Db } from '../../../platform/db/database.ts'

export interface Aggregate {
  id: number
  uuid: string
  name: string
  /** The availability zone is one of its entries. */
  metadata: Readonly<Record<string, string>>
  hosts: readonly string[]
  createdAt: string
  updatedAt: string | null
}

export async function list(db: Db): Promise<Aggregate[]> {
  const rows = await db.selectFrom('compute_aggregates').selectAll().where('deleted', '=', 0).orderBy('id').execute()
  if (rows.length === 0) return []
  const members = await db.selectFrom('compute_aggregate_hosts').selectAll().orderBy('host').execute()
  const hosts = Map.groupBy(members, (member) => member.aggregate_id)
  return rows.map((row) => ({
    ...{ id: row.id, uuid: row.uuid, name: row.name },
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    hosts: (hosts.get(row.id) ?? []).map((member) => member.host),
    ...{ createdAt: row.created_at, updatedAt: row.updated_at },
  }))
}

/** Hosts that an aggregate puts into a zone; the rest are in the default one. */
export async function zones(db: Db): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const { hosts, metadata } of await list(db)) {
    for (const host of hosts) if (metadata.availability_zone) found.set(host, metadata.availability_zone)
  }
  return found
}

/** Gives its number. */
export async function insert(
  db: Db,
  wanted: Pick<Aggregate, 'uuid' | 'name' | 'metadata' | 'createdAt'>,
): Promise<number> {
  const row = await db
    .selectFrom('compute_aggregates')
    .select((eb) => eb.fn.max('id').as('last'))
    .executeTakeFirst()
  const id = Number(row?.last ?? 0) + 1
  await db
    .insertInto('compute_aggregates')
    .values({
      ...{ id, uuid: wanted.uuid, name: wanted.name, metadata: JSON.stringify(wanted.metadata) },
      ...{ created_at: wanted.createdAt, updated_at: null, deleted: 0 },
    })
    .execute()
  return id
}

export async function update(
  db: Db,
  id: number,
  patch: { name?: string; metadata?: Aggregate['metadata']; updatedAt: string },
): Promise<void> {
  await db
    .updateTable('compute_aggregates')
    .set({
      ...(patch.name === undefined ? {} : { name: patch.name }),
      ...(patch.metadata === undefined ? {} : { metadata: JSON.stringify(patch.metadata) }),
      updated_at: patch.updatedAt,
    })
    .where('id', '=', id)
    .execute()
}

export async function remove(db: Db, id: number, at: string): Promise<void> {
  await db.updateTable('compute_aggregates').set({ deleted: 1, updated_at: at }).where('id', '=', id).execute()
}

export async function addHost(db: Db, id: number, host: string): Promise<void> {
  await db.insertInto('compute_aggregate_hosts').values({ aggregate_id: id, host }).execute()
}

export async function removeHost(db: Db, id: number, host: string): Promise<void> {
  await db.deleteFrom('compute_aggregate_hosts').where('aggregate_id', '=', id).where('host', '=', host).execute()
}
