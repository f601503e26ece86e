import type { Db } from '../../../platform/db/database.ts'
import { type Server, serverOf } from './server.ts'

/** Servers launched before `to` and not deleted before `from`, in order of their ids. */
export async function list(
  db: Db,
  query: { from: string; to: string; projectId: string | null; limit: number; marker: string | null },
): Promise<Server[]> {
  let select = db
    .selectFrom('compute_servers')
    .selectAll()
    .where('launched_at', 'is not', null)
    .where('launched_at', '<', query.to)
    .where((eb) => eb.or([eb('deleted_at', 'is', null), eb('deleted_at', '>', query.from)]))
  if (query.projectId !== null) select = select.where('project_id', '=', query.projectId)
  if (query.marker !== null) select = select.where('id', '>', query.marker)
  const rows = await select.orderBy('id').limit(query.limit).execute()
  return rows.map(serverOf)
}
