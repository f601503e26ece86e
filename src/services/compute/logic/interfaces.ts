import type { Context } from '../../../platform/auth/context.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { CloudError, NotFound } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import * as actionRows from '../db/actions.ts'
import * as interfaceRows from '../db/interfaces.ts'
import * as serverRows from '../db/servers.ts'
import { record } from './actions.ts'
import { checkLock, checkState } from './checks.ts'
import type { Deps, ServerPort, WantedPlugs } from './deps.ts'
import { defaultZone } from './scheduler.ts'

type Server = serverRows.Server

const from = ['active', 'paused', 'stopped'] as const

export interface WantedInterface {
  networks: WantedPlugs['networks']
  tag: string | null
}

/**
 * Records that a server shall have one more NIC, and makes its port; the host plugs it in, whether the server runs or
 * not. Should it refuse, the port is given up again.
 * @throws CloudError with Nova's texts
 */
export async function attach(deps: Deps, ctx: Context, id: string, wanted: WantedInterface): Promise<ServerPort> {
  const { database, clock, nudge } = deps.ground
  const made = await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, 'attach_interface', from)
    const event = { action: 'attach_interface', event: 'compute_attach_interface', at }
    const actions = await record(trx, ctx, [server], event)
    const port = await deps.network.attachPort(trx, ctx, { ...plugsOf(server), ...wanted, host: server.host! })
    await interfaceRows.put(trx, {
      ...{ port_id: port.portId, server_id: id, tag: wanted.tag, change: 'attach' },
      ...{ generation: server.generation + 1, action_id: actions.get(id) ?? null },
    })
    await orderAnew(trx, server, at)
    return port
  })
  faultPoint('compute.api.interface.committed')
  nudge('network.ports')
  nudge('compute.servers')
  return made
}

/** The tags a server's first NICs were asked for with. */
export async function keepTags(
  trx: Trx,
  server: Server,
  ports: readonly ServerPort[],
  tags: readonly (string | null)[],
): Promise<void> {
  for (const [i, { portId }] of ports.entries()) {
    const tag = tags[i] ?? null
    if (tag === null) continue
    const still = { change: null, generation: server.generation, action_id: null }
    await interfaceRows.put(trx, { port_id: portId, server_id: server.id, tag, ...still })
  }
}

/** Records that a NIC shall be taken out; its port goes, or is free again, once the host has done it. */
export async function detach(deps: Deps, ctx: Context, id: string, portId: string): Promise<void> {
  const { database, clock, nudge } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    checkState(server, 'detach_interface', from)
    const ports = (await deps.network.serverPorts(trx, [id])).get(id) ?? []
    if (!ports.some((port) => port.portId === portId)) throw new NotFound('Port id', portId)
    const before = await interfaceRows.find(trx, portId)
    if (before?.change === 'detach') return
    const event = { action: 'detach_interface', event: 'compute_detach_interface', at }
    const actions = await record(trx, ctx, [server], event)
    if (before?.action_id) await actionRows.finish(trx, before.action_id, at, 'The interface was detached meanwhile')
    await interfaceRows.put(trx, {
      ...{ port_id: portId, server_id: id, tag: before?.tag ?? null, change: 'detach' },
      ...{ generation: server.generation + 1, action_id: actions.get(id) ?? null },
    })
    await orderAnew(trx, server, at)
  })
  faultPoint('compute.api.interface.committed')
  nudge('compute.servers')
}

/** The order's ports have changed; nothing else of the server has. */
const orderAnew = (trx: Trx, server: Server, at: string): Promise<void> =>
  serverRows.update(trx, server.id, {
    ...{ generation: server.generation + 1, tries: 0, retryAtMs: null, actionId: null, updatedAt: at },
  })

const plugsOf = (server: Server) => ({
  serverId: server.id,
  projectId: server.projectId,
  hostname: server.hostname,
  availabilityZone: server.availabilityZone ?? defaultZone,
  securityGroups: [],
})

/** The host has done what was wanted: what was to go is gone. Tells whether ports are to be looked at. */
export async function reached(deps: Deps, trx: Trx, server: Server, at: string): Promise<boolean> {
  const done = (await interfaceRows.changing(trx, server.id)).filter((one) => one.generation <= server.generation)
  for (const row of done) {
    if (row.change === 'detach') await deps.network.detachPort(trx, server.id, row.port_id)
    await end(trx, row, at, null)
  }
  return done.length > 0
}

/**
 * The host has refused an order that was for a NIC: it stays as it was before, and so does the server. False when the
 * order was for something else.
 */
export async function refused(deps: Deps, trx: Trx, server: Server, problem: string, at: string): Promise<boolean> {
  const open = (await interfaceRows.changing(trx, server.id)).filter((one) => one.generation === server.generation)
  if (open.length === 0 || server.taskState !== null) return false
  for (const row of open) {
    if (row.change === 'attach') await deps.network.detachPort(trx, server.id, row.port_id)
    await end(trx, row, at, problem)
  }
  await orderAnew(trx, server, at)
  return true
}

async function end(trx: Trx, row: interfaceRows.InterfaceRow, at: string, problem: string | null): Promise<void> {
  if (row.action_id) await actionRows.finish(trx, row.action_id, at, problem)
  const gone = (row.change === 'detach') === (problem === null)
  if (gone || row.tag === null) await interfaceRows.remove(trx, row.port_id)
  else await interfaceRows.settle(trx, row.port_id)
}

/** One more address on a network that the server is on, or one less. @throws CloudError `badRequest` */
export async function changeAddresses(
  deps: Deps,
  ctx: Context,
  id: string,
  wanted: { networkId: string } | { address: string },
): Promise<void> {
  const { database, clock, nudge } = deps.ground
  await database.write(async (trx) => {
    const at = clock.now()
    const server = await serverRows.get(trx, id)
    checkLock(ctx, server)
    const adds = 'networkId' in wanted
    const event = { action: adds ? 'addFixedIp' : 'removeFixedIp', event: null, at }
    await record(trx, ctx, [server], event)
    if (adds) await deps.network.addServerAddress(trx, id, wanted.networkId)
    else await deps.network.removeServerAddress(trx, id, wanted.address)
    // One that is at work on something else takes its new addresses along with that.
    if (server.host !== null && server.taskState === null) await orderAnew(trx, server, at)
  })
  nudge('network.ports')
  nudge('compute.servers')
}

/** @throws CloudError `badRequest` for what contradicts itself */
export function networksOf(asked: { networkId?: string; portId?: string; fixedIp?: string }): WantedPlugs['networks'] {
  const { networkId, portId, fixedIp } = asked
  if (networkId && portId) throw new CloudError('badRequest', 'Must not input both network_id and port_id')
  if (fixedIp && !networkId) throw new CloudError('badRequest', 'Must input network_id when request IP address')
  return networkId || portId ? [asked] : 'auto'
}
