import type { Db, Trx } from '../../../platform/db/database.ts'
import type { PortBindingsTable } from './sharing-tables.ts'

export async function ofPort(db: Db, portId: string): Promise<PortBindingsTable[]> {
  return await db
    .selectFrom('network_port_bindings')
    .selectAll()
    .where('port_id', '=', portId)
    .orderBy('host')
    .execute()
}

export async function put(trx: Trx, row: PortBindingsTable): Promise<void> {
  const { vnic_type, profile } = row
  await trx
    .insertInto('network_port_bindings')
    .values(row)
    .onConflict((conflict) => conflict.columns(['port_id', 'host']).doUpdateSet({ vnic_type, profile }))
    .execute()
}

export async function remove(trx: Trx, portId: string, host: string): Promise<void> {
  await trx.deleteFrom('network_port_bindings').where('port_id', '=', portId).where('host', '=', host).execute()
}
