import { sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'

/** A resource of one service, with a project's own limit where it has one. */
export interface ServiceLimit {
  readonly registeredId: string
  readonly regionId: string
  readonly resource: string
  readonly fallback: number
  readonly own: number | null
}

/** What is registered for a service, in this region or in none, with one query. A service is found by its type. */
export async function of(db: Db, type: string, regionId: string, projectId: string): Promise<ServiceLimit[]> {
  const rows = await db
    .selectFrom('identity_registered_limits as r')
    .innerJoin('identity_services as s', 's.id', 'r.service_id')
    .leftJoin('identity_limits as l', (join) =>
      join.onRef('l.registered_limit_id', '=', 'r.id').on('l.holder_id', '=', projectId),
    )
    .select(['r.id', 'r.region_id', 'r.resource_name', 'r.default_limit', 'l.resource_limit'])
    .where('s.type', '=', type)
    .where('r.region_id', 'in', ['', regionId])
    // What is said of the region is said last, and counts.
    .orderBy('r.region_id')
    .orderBy('r.id')
    .execute()
  return rows.map((row) => ({
    ...{ registeredId: row.id, regionId: row.region_id, resource: row.resource_name },
    ...{ fallback: row.default_limit, own: row.resource_limit },
  }))
}

/** Projects with limits of their own for a service. */
export async function holders(db: Db, type: string): Promise<string[]> {
  const rows = await db
    .selectFrom('identity_limits as l')
    .innerJoin('identity_registered_limits as r', 'r.id', 'l.registered_limit_id')
    .innerJoin('identity_services as s', 's.id', 'r.service_id')
    .select('l.project_id')
    .distinct()
    .where('s.type', '=', type)
    .where('l.project_id', 'is not', null)
    .orderBy('l.project_id')
    .execute()
  return rows.flatMap(({ project_id }) => project_id ?? [])
}

/** Sets a project's limit, whether it has one or not. */
export async function put(
  db: Db,
  limit: { id: string; registeredId: string; projectId: string; amount: number },
): Promise<void> {
  await db
    .insertInto('identity_limits')
    .values({
      ...{ id: limit.id, registered_limit_id: limit.registeredId, project_id: limit.projectId, domain_id: null },
      ...{ holder_id: limit.projectId, resource_limit: limit.amount, description: null },
    })
    .onConflict((conflict) =>
      conflict.columns(['holder_id', 'registered_limit_id']).doUpdateSet({ resource_limit: limit.amount }),
    )
    .execute()
}

/** All of a project's limits for a service; says whether there were any. */
export async function removeOf(db: Db, type: string, projectId: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('identity_limits')
    .where('holder_id', '=', projectId)
    .where(
      sql<boolean>`registered_limit_id in (select r.id from identity_registered_limits r
        join identity_services s on s.id = r.service_id where s.type = ${type})`,
    )
    .executeTakeFirst()
  return numDeletedRows > 0n
}

export async function setDefault(db: Db, registeredId: string, amount: number): Promise<void> {
  await db
    .updateTable('identity_registered_limits')
    .set({ default_limit: amount })
    .where('id', '=', registeredId)
    .execute()
}

/** The service that limits of its type are registered for: the first one. */
export async function serviceOf(db: Db, type: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('identity_services')
    .select('id')
    .where('type', '=', type)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return row?.id
}
