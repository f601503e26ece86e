import type { Trx } from '../../../platform/db/database.ts'
import * as hostRows from '../db/hosts.ts'
import * as portRows from '../db/ports.ts'
import { isRouterPort, portReadressed } from './routed-ports.ts'
import { changed } from './security-groups.ts'

/**
 * Moves a port to a host, or away from all (null). The old host gets an order to forget it, the new one its network,
 * and the port's groups gain or lose a member there.
 */
export async function bind(trx: Trx, port: portRows.PortRow, host: string | null): Promise<void> {
  // A router's ports are plugged with their router, wherever that is.
  if (port.host === host || (host !== null && isRouterPort(port))) return
  await portRows.update(trx, port.id, { host, seen_generation: 0, status: 'DOWN', fault: null })
  if (port.host !== null) await leave(trx, port, port.host)
  if (host !== null) {
    // Older than any generation the port will be ordered with from now on.
    await hostRows.removeGone(trx, port.id, host, port.generation + 1)
    await hostRows.carryNetwork(trx, port.network_id, host)
  }
  await changed(trx, (await portRows.groupsOf(trx, [port.id])).get(port.id) ?? [])
}

/** After the row has left the host, or is gone. */
async function leave(trx: Trx, port: portRows.PortRow, host: string): Promise<void> {
  await hostRows.insertGone(trx, {
    port_id: port.id,
    host,
    network_id: port.network_id,
    mac_address: port.mac_address,
    generation: port.generation + 1,
  })
}

/** Deletes the port; its host hears of it, and so do the hosts of its groups. */
export async function removePort(trx: Trx, port: portRows.PortRow): Promise<void> {
  const groups = (await portRows.groupsOf(trx, [port.id])).get(port.id) ?? []
  await portRows.remove(trx, port.id)
  await portReadressed(trx, port) // its addresses went with it
  if (port.host === null) return
  await leave(trx, port, port.host)
  await changed(trx, groups)
}
