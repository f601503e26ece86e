import type { Selectable } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import type { PortForwardingsTable } from './router-tables.ts'
import { rowsOf } from './rows.ts'

export type PortForwardingRow = Selectable<PortForwardingsTable>

export const { find, insert, update, remove } = rowsOf('network_port_forwardings')

export async function ofFloatingIps(db: Db, floatingIpIds: readonly string[]): Promise<PortForwardingRow[]> {
  if (floatingIpIds.length === 0) return []
  return await db
    .selectFrom('network_port_forwardings')
    .selectAll()
    .where('floating_ip_id', 'in', floatingIpIds)
    .orderBy('floating_ip_id')
    .orderBy('protocol')
    .orderBy('external_first')
    .execute()
}

export async function ofPort(db: Db, portId: string): Promise<PortForwardingRow[]> {
  return await db.selectFrom('network_port_forwardings').selectAll().where('internal_port_id', '=', portId).execute()
}

export async function removeOfPort(trx: Trx, portId: string): Promise<void> {
  await trx.deleteFrom('network_port_forwardings').where('internal_port_id', '=', portId).execute()
}
