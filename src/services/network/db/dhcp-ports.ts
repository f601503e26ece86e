import type { Db, Trx } from '../../../platform/db/database.ts'
import type { PortRow } from './ports.ts'

/** The owner of the port by which a host answers a network's DHCP and DNS. Source: neutron-lib, "DEVICE_OWNER_DHCP". */
export const dhcpOwner = 'network:dhcp'

/** Of these networks, on whatever host. */
export async function ofNetworks(db: Db, networkIds: readonly string[]): Promise<PortRow[]> {
  if (networkIds.length === 0) return []
  return await db
    .selectFrom('network_ports')
    .selectAll()
    .where('network_id', 'in', networkIds)
    .where('device_owner', '=', dhcpOwner)
    .execute()
}

/** They go with their network, or when nobody asks for DHCP there any more; their addresses are free again. */
export async function remove(trx: Trx, networkId: string, deviceId?: string): Promise<void> {
  let query = trx.deleteFrom('network_ports').where('network_id', '=', networkId).where('device_owner', '=', dhcpOwner)
  if (deviceId !== undefined) query = query.where('device_id', '=', deviceId)
  await query.execute()
}

/** What a network's host has put in place with the network itself. */
export async function settled(trx: Trx, networkId: string, host: string): Promise<void> {
  await trx
    .updateTable('network_ports')
    .set((eb) => ({ status: 'ACTIVE', seen_generation: eb.ref('generation') }))
    .where('network_id', '=', networkId)
    .where('device_owner', '=', dhcpOwner)
    .where('host', '=', host)
    .execute()
}

/** Whether a port that is not DHCP's own has an address of the subnet. */
export async function anyOtherOn(db: Db, subnetId: string): Promise<boolean> {
  const row = await db
    .selectFrom('network_ip_allocations as a')
    .innerJoin('network_ports as p', 'p.id', 'a.port_id')
    .select('p.id')
    .where('a.subnet_id', '=', subnetId)
    .where('p.device_owner', '!=', dhcpOwner)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
