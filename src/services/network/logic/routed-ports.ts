import type { Context } from '../../../platform/auth/context.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import * as allocationRows from '../db/allocations.ts'
import * as floatingRows from '../db/floating-ips.ts'
import * as portRows from '../db/ports.ts'
import * as routerRows from '../db/routers.ts'
import { portReadressed as forwardingsReadressed } from './port-forwardings.ts'
import { foreignDevice, servicePort } from './router-errors.ts'

/** What routers and floating IPs have to do with a port that changes or goes. */

const routerOwners: readonly string[] = [routerRows.interfaceOwner, routerRows.gatewayOwner]
export const isRouterPort = (port: Pick<portRows.PortRow, 'device_owner'>): boolean =>
  routerOwners.includes(port.device_owner)

/** Ports of routers and floating IPs go with those. @throws CloudError `conflict` (ServicePortInUse) */
export async function refuseServicePort(db: Db, port: portRows.PortRow): Promise<void> {
  const lives =
    port.device_owner === routerRows.floatingOwner
      ? await floatingRows.find(db, port.device_id)
      : isRouterPort(port)
        ? await routerRows.find(db, port.device_id)
        : undefined
  if (lives) throw servicePort(port.id, port.device_owner)
}

/**
 * A port may not make itself an end of another project's router.
 * @throws CloudError `conflict` (DeviceIDNotOwnedByTenant)
 */
export async function refuseForeignRouter(
  db: Db,
  ctx: Pick<Context, 'isAdmin' | 'projectId'>,
  port: Pick<portRows.PortRow, 'device_id' | 'device_owner'>,
): Promise<void> {
  if (ctx.isAdmin || port.device_id === '' || !isRouterPort(port)) return
  const router = await routerRows.find(db, port.device_id)
  if (router && router.project_id !== ctx.projectId) throw foreignDevice(port.device_id)
}

/** A network that goes takes along the floating IPs that nobody uses. Source: Network API reference, "Delete network". */
export async function releaseIdleFloatingIps(trx: Trx, networkId: string): Promise<void> {
  for (const row of await floatingRows.idleOn(trx, networkId)) {
    await floatingRows.remove(trx, row.id)
    await portRows.remove(trx, row.floating_port_id)
  }
}

/** Floating IPs lead nowhere any more once the address they led to is gone. */
export async function portReadressed(trx: Trx, port: portRows.PortRow): Promise<void> {
  if (isRouterPort(port)) await routerRows.touch(trx, port.device_id)
  const held = new Set((await allocationRows.ofPorts(trx, [port.id])).map((row) => row.ip_address))
  await forwardingsReadressed(trx, port.id, held)
  for (const row of await floatingRows.ofPorts(trx, [port.id])) {
    if (row.fixed_ip_address !== null && held.has(row.fixed_ip_address)) continue
    const nowhere = { port_id: null, fixed_ip_address: null, router_id: null, status: 'DOWN' } as const
    await floatingRows.update(trx, row.id, nowhere)
    if (row.router_id !== null) await routerRows.touch(trx, row.router_id)
  }
}
