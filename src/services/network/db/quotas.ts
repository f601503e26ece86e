import type { Db, Trx } from '../../../platform/db/database.ts'
import type { QuotasTable } from './tables.ts'

export async function ofProject(db: Db, projectId: string): Promise<QuotasTable[]> {
  return await db.selectFrom('network_quotas').selectAll().where('project_id', '=', projectId).execute()
}

/** Projects whose limits are not the default ones. */
export async function projects(db: Db): Promise<string[]> {
  const rows = await db.selectFrom('network_quotas').select('project_id').distinct().orderBy('project_id').execute()
  return rows.map((row) => row.project_id)
}

export async function set(trx: Trx, row: QuotasTable): Promise<void> {
  await trx
    .insertInto('network_quotas')
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(['project_id', 'resource']).doUpdateSet({ quota_limit: row.quota_limit }),
    )
    .execute()
}

export async function reset(trx: Trx, projectId: string): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('network_quotas')
    .where('project_id', '=', projectId)
    .executeTakeFirst()
  return numDeletedRows > 0n
}
