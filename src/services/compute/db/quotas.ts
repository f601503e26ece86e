import type { Db } from '../../../platform/db/database.ts'

/** Limits of a quota class other than `default`, which limit nobody: kept for who set them. Those that do are Identity's. */
export async function get(db: Db, projectId: string): Promise<Record<string, number>> {
  const rows = await db.selectFrom('compute_quotas').selectAll().where('project_id', '=', projectId).execute()
  return Object.fromEntries(rows.map((row) => [row.resource, row.hard_limit]))
}

export async function put(db: Db, projectId: string, limits: Readonly<Record<string, number>>): Promise<void> {
  const rows = Object.entries(limits).map(([resource, hard_limit]) => ({ project_id: projectId, resource, hard_limit }))
  if (rows.length === 0) return
  await db
    .insertInto('compute_quotas')
    .values(rows)
    .onConflict((c) =>
      c.columns(['project_id', 'resource']).doUpdateSet((eb) => ({ hard_limit: eb.ref('excluded.hard_limit') })),
    )
    .execute()
}
