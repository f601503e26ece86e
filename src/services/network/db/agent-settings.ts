import type { Selectable } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import type { AgentSettingsTable } from './sharing-tables.ts'

export type AgentSettingsRow = Selectable<AgentSettingsTable>

export async function all(db: Db): Promise<Map<string, AgentSettingsRow>> {
  const rows = await db.selectFrom('network_agent_settings').selectAll().execute()
  return new Map(rows.map((row) => [row.id, row]))
}

export async function put(trx: Trx, row: AgentSettingsRow): Promise<void> {
  const { id: _, ...values } = row
  await trx
    .insertInto('network_agent_settings')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
    .execute()
}

/** Hosts where agents of a type are switched off. */
export async function disabledHosts(db: Db, agentType: string): Promise<Set<string>> {
  const rows = await db
    .selectFrom('network_agent_settings')
    .select('host')
    .where('agent_type', '=', agentType)
    .where('admin_state_up', '=', 0)
    .execute()
  return new Set(rows.map((row) => row.host))
}
