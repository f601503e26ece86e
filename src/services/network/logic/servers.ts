import type { Context } from '../../../platform/auth/context.ts'
import type { Policy } from '../../../platform/auth/policy.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as allocationRows from '../db/allocations.ts'
import * as floatingRows from '../db/floating-ips.ts'
import * as networkRows from '../db/networks.ts'
import * as portRows from '../db/ports.ts'
import * as groupRows from '../db/security-groups.ts'
import * as subnetRows from '../db/subnets.ts'
import { mayUse, seesNetwork } from './access.ts'
import { canonicalIp } from './addresses.ts'
import { isKind } from './attributes.ts'
import { bind, removePort } from './bindings.ts'
import * as ports from './ports.ts'
import type { NetworkQuotas } from './quotas.ts'
import { ensureDefault } from './security-groups.ts'

/** What a server asks for when it is made. */
export interface ServerWishes {
  serverId: string
  projectId: string
  hostname: string
  availabilityZone: string
  networks: 'auto' | 'none' | readonly { networkId?: string; portId?: string; fixedIp?: string }[]
  /** By name or id; empty for the project's default group. */
  securityGroups: readonly string[]
}

export interface ServerPort {
  portId: string
  networkId: string
  networkName: string
  macAddress: string
  fixedIps: { ipAddress: string; version: 4 | 6; subnetId: string }[]
  /** Addresses outside that lead to a fixed one. */
  floatingIps: { ipAddress: string; fixedIpAddress: string }[]
  securityGroupNames: string[]
  madeByCompute: boolean
  nicIndex: number
  status: string
}

export interface ServerDeps {
  clock: Clock
  policy: Policy
  quotas: NetworkQuotas
}
type Deps = ServerDeps

/** One NIC: a port of the user's own, or a network to make one on. */
type Nic = { port: portRows.PortRow } | { network: networkRows.NetworkRow; fixedIp: string | undefined }

const bad = (message: string, type?: string) => new CloudError('badRequest', message, type ? { type } : {})
const clash = (message: string) => new CloudError('conflict', message)

/** Source: the texts are those of Nova's API, which users and tools know. @throws CloudError */
export async function check(db: Db, deps: Deps, ctx: Context, wanted: ServerWishes): Promise<void> {
  const nics = await resolve(db, deps, ctx, wanted)
  const made = nics.filter((nic) => !('port' in nic)).length
  if (made === 0) return
  await groupIds(db, wanted)
  const { port: limit } = await deps.quotas.limits(db, wanted.projectId)
  const { port: used } = await deps.quotas.usage(db, wanted.projectId)
  if (limit >= 0 && used + made > limit) throw tooManyPorts()
}

const tooManyPorts = () => new CloudError('overQuota', 'Maximum number of ports exceeded')

/** Makes and binds the ports, in NIC order, which begins with `firstNic`. @throws CloudError */
export async function plug(
  trx: Trx,
  deps: Deps,
  ctx: Context,
  wanted: ServerWishes & { host: string },
  firstNic = 0,
): Promise<ServerPort[]> {
  const nics = await resolve(trx, deps, ctx, wanted)
  const made = nics.filter((nic) => !('port' in nic)).length
  await deps.quotas.claim(trx, wanted.projectId, { port: made }).catch((error: unknown) => {
    throw isKind(error, 'conflict') ? tooManyPorts() : error
  })
  const owner = `compute:${wanted.availabilityZone}`
  if (wanted.securityGroups.includes('default')) await ensureDefault(trx, deps.clock, wanted.projectId)
  const groups = await groupIds(trx, wanted)
  for (const [i, nic] of nics.entries()) {
    const nicIndex = firstNic + i
    if ('port' in nic) {
      const device = { device_id: wanted.serverId, device_owner: owner, nic_index: nicIndex }
      await portRows.update(trx, nic.port.id, { ...device, updated_at: deps.clock.now() })
      await bind(trx, await ports.get(trx, nic.port.id), wanted.host)
    } else await makePort(trx, deps, ctx, wanted, nic, { groups, owner, nicIndex })
  }
  return (await ofServers(trx, [wanted.serverId])).get(wanted.serverId) ?? []
}

async function makePort(
  trx: Trx,
  deps: Deps,
  ctx: Context,
  wanted: ServerWishes & { host: string },
  { network, fixedIp }: Exclude<Nic, { port: unknown }>,
  { groups, owner, nicIndex }: { groups: string[] | null; owner: string; nicIndex: number },
): Promise<void> {
  const wish: ports.NewPort = {
    project_id: wanted.projectId,
    network_id: network.id,
    name: '',
    description: '',
    admin_state_up: true,
    device_id: wanted.serverId,
    device_owner: owner,
    allowed_address_pairs: [],
    'binding:host_id': wanted.host,
    'binding:vnic_type': 'normal',
    'binding:profile': null,
  }
  if (fixedIp !== undefined) wish.fixed_ips = [{ ip_address: fixedIp }]
  // Groups mean nothing on a network without port security.
  if (groups !== null && network.port_security_enabled === 1) wish.security_groups = groups
  try {
    await ports.insert(trx, deps, ctx, wish, { nicIndex, made: true })
  } catch (error) {
    if (isKind(error, 'conflict') && error.type === 'IpAddressAlreadyAllocated') {
      const user = await userOf(trx, network.id, fixedIp!)
      throw bad(`Fixed IP address ${fixedIp} is already in use on instance ${user}.`, 'FixedIpAlreadyInUse')
    }
    if (isKind(error, 'conflict') && error.type === 'IpAddressGenerationFailure') {
      throw bad(`No fixed IP addresses available for network: ${network.id}`)
    }
    throw error
  }
}

async function userOf(trx: Trx, networkId: string, address: string): Promise<string> {
  const portId = await allocationRows.holder(trx, networkId, address)
  return (portId && (await portRows.find(trx, portId))?.device_id) || 'unknown'
}

async function resolve(db: Db, deps: Deps, ctx: Context, wanted: ServerWishes): Promise<Nic[]> {
  if (wanted.networks === 'none') return []
  if (wanted.networks === 'auto') return await automatic(db, wanted.projectId)
  const nics: Nic[] = []
  const used = new Set<string>()
  for (const wish of wanted.networks) {
    if (wish.portId !== undefined) {
      if (used.has(wish.portId)) throw clash(`Port ${wish.portId} is still in use.`)
      used.add(wish.portId)
      nics.push({ port: await usablePort(db, ctx, wanted, wish.portId) })
    } else if (wish.networkId !== undefined) {
      const network = await usableNetwork(db, deps, ctx, wanted, wish.networkId)
      nics.push({ network, fixedIp: await usableAddress(db, deps, ctx, network, wish.fixedIp) })
    } else nics.push(...(await automatic(db, wanted.projectId)))
  }
  return nics
}

/** The project's one network; a shared one when it has none of its own; nothing when there is none at all. */
async function automatic(db: Db, projectId: string): Promise<Nic[]> {
  const { own, shared } = await networkRows.forProject(db, projectId)
  const withSubnets = new Set(
    (
      await subnetRows.ofNetworks(
        db,
        [...own, ...shared].map((network) => network.id),
      )
    ).map((subnet) => subnet.network_id),
  )
  const candidates = (own.length > 0 ? own : shared).filter((network) => withSubnets.has(network.id))
  if (candidates.length > 1) {
    const text = 'Multiple possible networks found, use a Network ID to be more specific.'
    throw new CloudError('conflict', text, { type: 'NetworkAmbiguous' })
  }
  return candidates.map((network) => ({ network, fixedIp: undefined }))
}

async function usablePort(db: Db, ctx: Context, wanted: ServerWishes, id: string): Promise<portRows.PortRow> {
  const port = await portRows.find(db, id)
  if (!port || (!ctx.isAdmin && port.project_id !== wanted.projectId)) {
    throw bad(`Port id ${id} could not be found.`, 'PortNotFound')
  }
  // Its own server may ask again: the first attempt's transaction may have been retried.
  if (port.device_id !== '' && port.device_id !== wanted.serverId) throw clash(`Port ${id} is still in use.`)
  if (!(await allocationRows.ofPorts(db, [id])).length) {
    throw bad(`Port ${id} requires a FixedIP in order to be used.`)
  }
  return port
}

async function usableNetwork(
  db: Db,
  deps: Deps,
  ctx: Context,
  wanted: ServerWishes,
  id: string,
): Promise<networkRows.NetworkRow> {
  const network = await networkRows.find(db, id)
  const caller = { isAdmin: ctx.isAdmin, projectId: wanted.projectId }
  if (!network || !(await seesNetwork(db, caller, network)))
    throw bad(`Network ${id} could not be found.`, 'NetworkNotFound')
  const open = await mayUse(db, { ...caller, isAdmin: false }, network)
  if (network.external === 1 && !open && !deps.policy.check('context_is_admin', ctx, {})) {
    throw new CloudError('forbidden', `It is not allowed to create an interface on external network ${id}`)
  }
  if ((await subnetRows.ofNetworks(db, [id])).length === 0) {
    throw bad(`Network ${id} requires a subnet in order to boot instances on.`)
  }
  return network
}

async function usableAddress(
  db: Db,
  deps: Deps,
  ctx: Context,
  network: networkRows.NetworkRow,
  asked: string | undefined,
): Promise<string | undefined> {
  if (asked === undefined) return undefined
  const address = canonicalIp(asked)
  if (address === null) throw bad(`Fixed IP ${asked} is not a valid ip address for network ${network.id}.`)
  const rule = 'create_port:fixed_ips:ip_address'
  const target = { 'network:tenant_id': network.project_id, 'network:project_id': network.project_id }
  if (!deps.policy.check(rule, ctx, target)) {
    throw new CloudError('forbidden', `Policy doesn't allow ${rule} to be performed.`)
  }
  const holder = await allocationRows.holder(db, network.id, address)
  if (holder) {
    const device = (await portRows.find(db, holder))?.device_id || 'unknown'
    throw bad(`Fixed IP address ${address} is already in use on instance ${device}.`, 'FixedIpAlreadyInUse')
  }
  return address
}

/** null when the server takes the default group. */
async function groupIds(db: Db, wanted: ServerWishes): Promise<string[] | null> {
  const names = [...new Set(wanted.securityGroups)]
  if (names.length === 0) return null
  const ids: string[] = []
  for (const name of names) {
    const found = await groupRows.named(db, wanted.projectId, name)
    const exact = found.find((group) => group.id === name)
    // The default group is made on first use, which may be this one.
    if (found.length === 0 && name === 'default') continue
    if (found.length === 0) throw bad(`Security group ${name} not found for project ${wanted.projectId}.`)
    if (!exact && found.length > 1) {
      throw clash(`Multiple security_group found matching '${name}'. Use an ID to be more specific.`)
    }
    ids.push((exact ?? found[0]!).id)
  }
  return ids
}

/** Deletes the ports that compute made for a server, and frees the user's own. Repeatable. */
export async function unplug(trx: Trx, deps: Pick<Deps, 'clock'>, serverId: string): Promise<void> {
  for (const port of await portRows.ofDevices(trx, [serverId])) await release(trx, deps, port)
}

/** Deletes a port that compute made, and frees one of the user's own. */
export async function release(trx: Trx, deps: Pick<Deps, 'clock'>, port: portRows.PortRow): Promise<void> {
  if (port.made_by_compute === 1) return await removePort(trx, port)
  await bind(trx, port, null)
  const free = { device_id: '', device_owner: '', nic_index: 0 }
  await portRows.update(trx, port.id, { ...free, updated_at: deps.clock.now() })
}

/** Binds its ports to another host, or to none. Repeatable. */
export async function move(trx: Trx, serverId: string, host: string | null): Promise<void> {
  for (const port of await portRows.ofDevices(trx, [serverId])) await bind(trx, port, host)
}

/** In NIC order. */
export async function ofServers(db: Db, serverIds: readonly string[]): Promise<Map<string, ServerPort[]>> {
  const found = new Map<string, ServerPort[]>()
  const rows = await portRows.ofDevices(db, serverIds)
  const ids = rows.map((row) => row.id)
  const addresses = Map.groupBy(await allocationRows.ofPorts(db, ids), (row) => row.port_id)
  const floating = Map.groupBy(await floatingRows.ofPorts(db, ids), (row) => row.port_id)
  const groups = await portRows.groupsOf(db, ids)
  const networks = await networkRows.byIds(db, [...new Set(rows.map((row) => row.network_id))])
  const groupsById = await groupRows.byIds(db, [...new Set([...groups.values()].flat())])
  for (const row of rows) {
    const port: ServerPort = {
      portId: row.id,
      networkId: row.network_id,
      networkName: networks.get(row.network_id)?.name ?? '',
      macAddress: row.mac_address,
      fixedIps: (addresses.get(row.id) ?? []).map(({ ip_address, subnet_id }) => ({
        ipAddress: ip_address,
        version: ip_address.includes(':') ? 6 : 4,
        subnetId: subnet_id,
      })),
      floatingIps: (floating.get(row.id) ?? []).map((one) => ({
        ipAddress: one.floating_ip_address,
        fixedIpAddress: one.fixed_ip_address ?? '',
      })),
      securityGroupNames: (groups.get(row.id) ?? []).map((id) => groupsById.get(id)?.name ?? id),
      madeByCompute: row.made_by_compute === 1,
      nicIndex: row.nic_index,
      status: row.status,
    }
    found.set(row.device_id, [...(found.get(row.device_id) ?? []), port])
  }
  return found
}
