import type { Db, Trx } from '../../../platform/db/database.ts'
import type { AutoTopologiesTable } from './sharing-tables.ts'

/** The topology that was made for a project, if its network is still there. */
export async function find(db: Db, projectId: string): Promise<AutoTopologiesTable | undefined> {
  return await db
    .selectFrom('network_auto_topologies as t')
    .innerJoin('network_networks as n', 'n.id', 't.network_id')
    .select(['t.project_id', 't.network_id', 't.router_id'])
    .where('t.project_id', '=', projectId)
    .executeTakeFirst()
}

export async function insert(trx: Trx, row: AutoTopologiesTable): Promise<void> {
  await trx
    .insertInto('network_auto_topologies')
    .values(row)
    .onConflict((conflict) => conflict.column('project_id').doUpdateSet(row))
    .execute()
}

export async function remove(trx: Trx, projectId: string): Promise<void> {
  await trx.deleteFrom('network_auto_topologies').where('project_id', '=', projectId).execute()
}
