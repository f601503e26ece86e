import { type Selectable, sql } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { rowsOf } from './rows.ts'
import type { QosPoliciesTable, QosRulesTable, QosRuleType } from './sharing-tables.ts'

export type QosPolicyRow = Selectable<QosPoliciesTable>
export type QosRuleRow = Selectable<QosRulesTable>

export const { find, list, byIds, insert, update, remove } = rowsOf('network_qos_policies')

export async function rulesOf(db: Db, policyIds: readonly string[]): Promise<QosRuleRow[]> {
  if (policyIds.length === 0) return []
  return await db
    .selectFrom('network_qos_rules')
    .selectAll()
    .where('policy_id', 'in', policyIds)
    .orderBy('policy_id')
    .orderBy('type')
    .orderBy('direction')
    .execute()
}

export async function findRule(db: Db, id: string, type: QosRuleType): Promise<QosRuleRow | undefined> {
  return await db
    .selectFrom('network_qos_rules')
    .selectAll()
    .where('id', '=', id)
    .where('type', '=', type)
    .executeTakeFirst()
}

/** False when the policy has such a rule for this direction already. */
export async function putRule(trx: Trx, row: QosRuleRow): Promise<boolean> {
  const twin = await trx
    .selectFrom('network_qos_rules')
    .select('id')
    .where('policy_id', '=', row.policy_id)
    .where('type', '=', row.type)
    .where('direction', '=', row.direction)
    .where('id', '!=', row.id)
    .executeTakeFirst()
  if (twin) return false
  const { id: _, ...values } = row
  await trx
    .insertInto('network_qos_rules')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
    .execute()
  return true
}

export async function removeRule(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('network_qos_rules').where('id', '=', id).execute()
}

export async function defaultOf(db: Db, projectId: string): Promise<QosPolicyRow | undefined> {
  return await db
    .selectFrom('network_qos_policies')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('is_default', '=', 1)
    .executeTakeFirst()
}

/** Ports that a policy holds for get new orders: their own, and those of networks with it that have none. */
export async function touchPorts(trx: Trx, policyId: string): Promise<void> {
  await trx
    .updateTable('network_ports')
    .set({ generation: sql<number>`generation + 1` })
    .where('host', 'is not', null)
    .where((eb) =>
      eb.or([
        eb('qos_policy_id', '=', policyId),
        eb.and([
          eb('qos_policy_id', 'is', null),
          eb('network_id', 'in', eb.selectFrom('network_networks').select('id').where('qos_policy_id', '=', policyId)),
        ]),
      ]),
    )
    .execute()
}

/** What a policy is on: networks, ports, or floating IPs. */
export async function isUsed(db: Db, policyId: string): Promise<string | undefined> {
  for (const [noun, table] of [
    ['network', 'network_networks'],
    ['port', 'network_ports'],
    ['floatingip', 'network_floating_ips'],
  ] as const) {
    const row = await db
      .selectFrom(table)
      .select('id')
      .where('qos_policy_id', '=', policyId)
      .limit(1)
      .executeTakeFirst()
    if (row) return `${noun} ${row.id}`
  }
  return undefined
}
