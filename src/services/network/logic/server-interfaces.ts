import type { Context } from '../../../platform/auth/context.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { CloudError, type Kind } from '../../../platform/errors.ts'
import * as allocationRows from '../db/allocations.ts'
import * as portRows from '../db/ports.ts'
import * as ports from './ports.ts'
import { plug, release, type ServerDeps, type ServerPort, type ServerWishes } from './servers.ts'

/** Where a server that is there refuses otherwise than one to be made. */
const kinds: Readonly<Record<string, Kind>> = {
  PortNotFound: 'notFound',
  NetworkNotFound: 'notFound',
  NetworkAmbiguous: 'badRequest',
  FixedIpAlreadyInUse: 'conflict',
}

/**
 * Gives a server one more NIC, after those it has. Nudge `network.ports` after it.
 * @throws CloudError with Nova's texts
 */
export async function attach(
  trx: Trx,
  deps: ServerDeps,
  ctx: Context,
  wanted: ServerWishes & { host: string },
): Promise<ServerPort> {
  const before = await portRows.ofDevices(trx, [wanted.serverId])
  const taken = new Set(before.map((port) => port.id))
  const asked = typeof wanted.networks === 'string' ? undefined : wanted.networks[0]?.portId
  if (asked !== undefined && taken.has(asked)) throw new CloudError('conflict', `Port ${asked} is still in use.`)
  const nicIndex = Math.max(-1, ...before.map((port) => port.nic_index)) + 1
  const all = await plug(trx, deps, ctx, wanted, nicIndex).catch((error: unknown) => {
    const kind = error instanceof CloudError ? kinds[error.type ?? ''] : undefined
    if (kind === undefined) throw error
    throw new CloudError(kind, (error as CloudError).message, { cause: error })
  })
  const made = all.find((port) => !taken.has(port.portId))
  if (made) return made
  const text = `No specific network was requested and none are available for project '${wanted.projectId}'.`
  throw new CloudError('badRequest', text)
}

/** Takes one port from a server: deleted when compute made it, else free again. Repeatable. */
export async function detach(
  trx: Trx,
  deps: Pick<ServerDeps, 'clock'>,
  serverId: string,
  portId: string,
): Promise<void> {
  const port = await portRows.find(trx, portId)
  if (port?.device_id !== serverId) return
  await release(trx, deps, port)
  // The default route may be another NIC's now.
  await portRows.touchDevice(trx, serverId)
}

/** One more address for the server's first port on a network. @throws CloudError `badRequest` */
export async function addAddress(trx: Trx, serverId: string, networkId: string): Promise<void> {
  const port = (await portRows.ofDevices(trx, [serverId])).find((one) => one.network_id === networkId)
  if (!port) throw new CloudError('badRequest', `Instance ${serverId} is not on network ${networkId}.`)
  const has = await allocationRows.ofPorts(trx, [port.id])
  const kept = has.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address }))
  await ports.setAddresses(trx, port.id, [...kept, { subnet_id: has[0]!.subnet_id }])
}

/** @throws CloudError `badRequest` when the server has no such address */
export async function removeAddress(trx: Trx, serverId: string, address: string): Promise<void> {
  const rows = await portRows.ofDevices(trx, [serverId])
  const all = await allocationRows.ofPorts(
    trx,
    rows.map((row) => row.id),
  )
  const found = all.find((one) => one.ip_address === address)
  if (!found) throw new CloudError('badRequest', `Instance ${serverId} does not have fixed IP '${address}'.`)
  const rest = all.filter((one) => one.port_id === found.port_id && one !== found)
  await ports.setAddresses(
    trx,
    found.port_id,
    rest.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
  )
}
