import { type Selectable, sql } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { type Listing, listed } from './listing.ts'
import { rowsOf } from './rows.ts'
import type { MeteringLabelsTable, MeteringRulesTable } from './sharing-tables.ts'

export type LabelRow = Selectable<MeteringLabelsTable>
export type MeteringRuleRow = Selectable<MeteringRulesTable>

export const { find, list, insert, remove } = rowsOf('network_metering_labels')

export async function findRule(db: Db, id: string): Promise<MeteringRuleRow | undefined> {
  return await db.selectFrom('network_metering_rules').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function listRules(db: Db, listing: Listing): Promise<MeteringRuleRow[]> {
  return await listed(db.selectFrom('network_metering_rules').selectAll(), listing)
}

export async function rulesOf(db: Db, labelIds: readonly string[]): Promise<MeteringRuleRow[]> {
  if (labelIds.length === 0) return []
  return await db
    .selectFrom('network_metering_rules')
    .selectAll()
    .where('label_id', 'in', labelIds)
    .orderBy('label_id')
    .orderBy('id')
    .execute()
}

export async function insertRule(trx: Trx, row: MeteringRuleRow): Promise<void> {
  await trx.insertInto('network_metering_rules').values(row).execute()
}

export async function removeRule(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('network_metering_rules').where('id', '=', id).execute()
}

/** The labels that count traffic of these projects' routers. */
export async function ofProjects(db: Db, projectIds: readonly string[]): Promise<LabelRow[]> {
  return await db
    .selectFrom('network_metering_labels')
    .selectAll()
    .where((eb) =>
      projectIds.length === 0
        ? eb('shared', '=', 1)
        : eb.or([eb('shared', '=', 1), eb('project_id', 'in', projectIds)]),
    )
    .orderBy('id')
    .execute()
}

/** The routers that a label is for get new orders. */
export async function touchRouters(trx: Trx, label: Pick<LabelRow, 'project_id' | 'shared'>): Promise<void> {
  let query = trx.updateTable('network_routers').set({ generation: sql<number>`generation + 1` })
  if (label.shared === 0) query = query.where('project_id', '=', label.project_id)
  await query.execute()
}

/** What was counted since the last time is added. */
export async function count(trx: Trx, labelId: string, packets: number, bytes: number): Promise<void> {
  await trx
    .updateTable('network_metering_labels')
    .set({ packets: sql<number>`packets + ${packets}`, bytes: sql<number>`bytes + ${bytes}` })
    .where('id', '=', labelId)
    .execute()
}
