import type { Context } from '../../../platform/auth/context.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as floatingRows from '../db/floating-ips.ts'
import * as hostRows from '../db/hosts.ts'
import * as networkRows from '../db/networks.ts'
import * as routerRows from '../db/routers.ts'
import { seesNetwork } from './access.ts'
import type { Accepted } from './attributes.ts'
import { zonesText } from './availability-zones.ts'
import { removePort } from './bindings.ts'
import { type Deps, loops } from './deps.ts'
import { networkNotFound } from './errors.ts'
import { flag } from './flags.ts'
import { insert as insertPort, type NewPort, setAddresses } from './ports.ts'
import { claimAll } from './quotas.ts'
import { badRouter, gatewayInUse, routerInUse, routerNotFound } from './router-errors.ts'
import type { GatewayWish, Route } from './router-resources.ts'
import { refuseOverlap, refuseRoutes, subnetsOfNetwork } from './router-rules.ts'

export interface NewRouter {
  project_id: string
  name: string
  description: string
  admin_state_up: boolean
  external_gateway_info: GatewayWish | null
  availability_zone_hints?: string[]
}

export type RouterChanges = Partial<Omit<NewRouter, 'project_id' | 'availability_zone_hints'>> & { routes?: Route[] }

type Caller = Pick<Context, 'isAdmin' | 'projectId'>

export async function create(
  deps: Deps,
  ctx: Context,
  items: readonly Accepted<NewRouter>[],
): Promise<routerRows.RouterRow[]> {
  const rows = await deps.database.write(async (trx) => {
    await claimAll(trx, deps, 'router', items)
    const made: routerRows.RouterRow[] = []
    for (const { values } of items) made.push(await insert(trx, deps, ctx, values))
    return made
  })
  deps.nudge(loops.routers)
  return rows
}

/** @throws CloudError in Neutron's words */
export async function insert(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  ctx: Caller,
  wanted: NewRouter,
): Promise<routerRows.RouterRow> {
  const now = deps.clock.now()
  const row: routerRows.RouterRow = {
    id: newId(),
    project_id: wanted.project_id,
    name: wanted.name,
    description: wanted.description,
    admin_state_up: flag(wanted.admin_state_up),
    enable_snat: 1,
    gateway_network_id: null,
    gateway_port_id: null,
    routes: '[]',
    status: 'ACTIVE',
    host: null,
    generation: 1,
    seen_generation: 0,
    fault: null,
    ...{ tags: '', availability_zone_hints: zonesText(wanted.availability_zone_hints), unscheduled: 0 },
    created_at: now,
    updated_at: now,
    revision_number: 1,
  }
  await routerRows.insert(trx, row)
  if (!wanted.external_gateway_info) return row
  await setGateway(trx, deps, ctx, row, wanted.external_gateway_info)
  return await get(trx, row.id)
}

export async function update(
  deps: Deps,
  ctx: Context,
  id: string,
  changes: RouterChanges,
): Promise<routerRows.RouterRow> {
  const row = await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    if (changes.external_gateway_info !== undefined) {
      await setGateway(trx, deps, ctx, before, changes.external_gateway_info)
      // What the router was reached by before may be what its routes lead through.
      if (!changes.routes) await refuseRoutes(trx, id, JSON.parse(before.routes) as Route[])
    }
    if (changes.routes) await refuseRoutes(trx, id, changes.routes)
    await routerRows.update(trx, id, {
      ...(changes.name !== undefined && { name: changes.name }),
      ...(changes.description !== undefined && { description: changes.description }),
      ...(changes.admin_state_up !== undefined && { admin_state_up: flag(changes.admin_state_up) }),
      ...(changes.routes && { routes: JSON.stringify(changes.routes) }),
      updated_at: deps.clock.now(),
    })
    return await get(trx, id)
  })
  deps.nudge(loops.networks)
  deps.nudge(loops.routers)
  return row
}

/** Adds to the extra routes or takes some away. @throws CloudError `badRequest` (InvalidRoutes) */
export async function changeRoutes(
  deps: Deps,
  id: string,
  change: (old: Route[]) => Route[],
): Promise<routerRows.RouterRow> {
  const row = await deps.database.write(async (trx) => {
    const routes = change(JSON.parse((await get(trx, id)).routes) as Route[])
    await refuseRoutes(trx, id, routes)
    await routerRows.update(trx, id, { routes: JSON.stringify(routes), updated_at: deps.clock.now() })
    return await get(trx, id)
  })
  deps.nudge(loops.routers)
  return row
}

/** Gives the router its way out, another one, or none. Source: Network API reference, "External gateway". */
async function setGateway(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  ctx: Caller,
  router: routerRows.RouterRow,
  wish: GatewayWish | null,
): Promise<void> {
  const snat = flag(wish?.enable_snat ?? true)
  const addresses = wish?.external_fixed_ips ?? []
  if (wish) await refuseGateway(trx, ctx, wish)
  if (wish && wish.network_id === router.gateway_network_id && router.gateway_port_id !== null) {
    if (addresses.length > 0) await setAddresses(trx, router.gateway_port_id, addresses)
    return await routerRows.update(trx, router.id, { enable_snat: snat })
  }
  if (router.gateway_network_id !== null) {
    const floating = await floatingRows.ofRouters(trx, [router.id])
    if (floating.length > 0) throw gatewayInUse(router.id, router.gateway_network_id)
    await removePorts(trx, router, routerRows.gatewayOwner)
  }
  if (!wish) {
    return await routerRows.update(trx, router.id, {
      gateway_network_id: null,
      gateway_port_id: null,
      enable_snat: snat,
    })
  }
  await refuseOverlap(trx, router.id, await subnetsOfNetwork(trx, wish.network_id))
  // Its owner is nobody: the port is the cloud's business, on a network that others own.
  const port = await insertPort(
    trx,
    deps,
    { ...ctx, isAdmin: true },
    {
      ...routerPort(wish.network_id, router.id, routerRows.gatewayOwner),
      ...(addresses.length > 0 && { fixed_ips: addresses }),
    },
    {},
  )
  await routerRows.update(trx, router.id, {
    gateway_network_id: wish.network_id,
    gateway_port_id: port.id,
    enable_snat: snat,
  })
  if (router.host !== null) await hostRows.carryNetwork(trx, wish.network_id, router.host)
}

async function refuseGateway(trx: Trx, ctx: Caller, wish: GatewayWish): Promise<void> {
  const network = await networkRows.find(trx, wish.network_id)
  if (!network || !(await seesNetwork(trx, ctx, network))) throw networkNotFound(wish.network_id)
  if (!network.external) throw badRouter(`Network ${network.id} is not an external network`)
  const gateways = (await subnetsOfNetwork(trx, network.id)).map((subnet) => subnet.gateway_ip)
  const same = wish.external_fixed_ips?.find((one) => one.ip_address && gateways.includes(one.ip_address))
  if (same) throw badRouter(`External IP ${same.ip_address} is the same as the gateway IP`)
}

/** A port of the router's own, without owner, groups or server. */
export const routerPort = (networkId: string, routerId: string, owner: string): NewPort => ({
  project_id: '',
  network_id: networkId,
  name: '',
  description: '',
  admin_state_up: true,
  device_id: routerId,
  device_owner: owner,
  port_security_enabled: false,
  allowed_address_pairs: [],
  'binding:vnic_type': 'normal',
  'binding:profile': null,
})

async function removePorts(trx: Trx, router: routerRows.RouterRow, owner: string): Promise<void> {
  for (const port of await routerRows.portsOf(trx, [router.id])) {
    if (port.device_owner !== owner) continue
    await removePort(trx, port)
  }
}

/** @throws CloudError `conflict` (RouterInUse) while it has interfaces */
export async function remove(deps: Deps, id: string): Promise<void> {
  await deps.database.write((trx) => removeIn(trx, deps, id))
  deps.nudge(loops.routers)
}

export async function removeIn(trx: Trx, deps: Pick<Deps, 'clock'>, id: string): Promise<void> {
  const router = await get(trx, id)
  const ports = await routerRows.portsOf(trx, [id])
  if (ports.some((port) => port.device_owner === routerRows.interfaceOwner)) throw routerInUse(id)
  await removePorts(trx, router, routerRows.gatewayOwner)
  await routerRows.remove(trx, id)
  if (router.host === null) return
  await routerRows.insertGone(trx, { router_id: id, host: router.host, generation: router.generation + 1 })
  for (const port of ports) await hostRows.noteIdle(trx, port.network_id, router.host, deps.clock.nowMs())
}

/** @throws CloudError `notFound` */
export async function get(db: Db, id: string): Promise<routerRows.RouterRow> {
  const row = await routerRows.find(db, id)
  if (!row) throw routerNotFound(id)
  return row
}
