import type { Db, Trx } from '../../../platform/db/database.ts'
import { dhcpOwner } from '../db/dhcp-ports.ts'
import * as networkRows from '../db/networks.ts'
import * as portRows from '../db/ports.ts'
import * as routerRows from '../db/routers.ts'
import * as poolRows from '../db/subnet-pools.ts'
import * as subnetRows from '../db/subnets.ts'
import * as topologyRows from '../db/topologies.ts'
import { type Deps, loops } from './deps.ts'
import { badRequest, conflict, missing } from './errors.ts'
import { insert as insertNetwork, removeIn as removeNetwork } from './networks.ts'
import { addIn as addInterface, removeIn as removeInterface } from './router-interfaces.ts'
import { insert as insertRouter, removeIn as removeRouter } from './routers.ts'
import { ensureDefault } from './security-groups.ts'
import { insert as insertSubnet } from './subnets.ts'

/**
 * A project's network with subnets of the default pools and a router to the default way out, made on first use.
 * Source: Network API reference, "Auto-allocated topology". Repeatable. @throws CloudError
 */
export async function ensure(deps: Deps, projectId: string): Promise<string> {
  const known = await topologyRows.find(deps.database.read, projectId)
  if (known) return known.network_id
  const networkId = await deps.database.write(async (trx) => {
    const meanwhile = await topologyRows.find(trx, projectId)
    if (meanwhile) return meanwhile.network_id
    const { external, pools } = await requirements(trx)
    const caller = { isAdmin: false, projectId }
    const named = { project_id: projectId, description: '', admin_state_up: true }
    await ensureDefault(trx, deps.clock, projectId)
    const network = await insertNetwork(trx, deps, {
      ...{ ...named, name: 'auto_allocated_network', shared: false, 'router:external': false },
      port_security_enabled: true,
    })
    const gateway = { network_id: external.id }
    const router = await insertRouter(trx, deps, caller, {
      ...{ ...named, name: 'auto_allocated_router', external_gateway_info: gateway },
    })
    for (const pool of pools) {
      const six = pool.ip_version === 6 ? 'slaac' : null
      const subnet = await insertSubnet(trx, deps, caller, {
        ...{ project_id: projectId, network_id: network.id, name: `auto_allocated_subnet_v${pool.ip_version}` },
        ...{ description: '', ip_version: pool.ip_version, subnetpool_id: pool.id, enable_dhcp: true },
        ...{ dns_nameservers: [], host_routes: [], ipv6_address_mode: six, ipv6_ra_mode: six },
      })
      await addInterface(trx, deps, caller, router.id, { subnet_id: subnet.id })
    }
    await topologyRows.insert(trx, { project_id: projectId, network_id: network.id, router_id: router.id })
    return network.id
  })
  deps.nudge(loops.networks)
  deps.nudge(loops.routers)
  return networkId
}

/** What the operator must have set up. @throws CloudError `badRequest` (AutoAllocationFailure) */
export async function requirements(
  db: Db,
): Promise<{ external: networkRows.NetworkRow; pools: poolRows.SubnetPoolRow[] }> {
  const external = await networkRows.defaultExternal(db)
  if (!external) throw unable('No default router:external network')
  const pools: poolRows.SubnetPoolRow[] = []
  for (const version of [4, 6] as const) {
    const pool = await poolRows.defaultOf(db, version)
    if (pool) pools.push(pool)
  }
  if (pools.length === 0) throw unable('No default subnetpools defined')
  return { external, pools }
}

const unable = (reason: string) => badRequest('AutoAllocationFailure', `Deployment error: ${reason}.`)

/** Takes it all away again. @throws CloudError `conflict` while something is on the network */
export async function remove(deps: Deps, projectId: string): Promise<void> {
  await deps.database.write(async (trx) => {
    const known = await topologyRows.find(trx, projectId)
    if (!known) {
      throw missing(
        'AutoAllocatedTopologyNotFound',
        `No auto-allocated topology for project ${projectId} could be found`,
      )
    }
    await refuseWhileUsed(trx, known.network_id)
    const caller = { isAdmin: true, projectId }
    const router = known.router_id === null ? undefined : await routerRows.find(trx, known.router_id)
    if (router) {
      for (const subnet of await subnetRows.ofNetworks(trx, [known.network_id])) {
        await removeInterface(trx, deps, caller, router.id, { subnet_id: subnet.id })
      }
      await removeRouter(trx, deps, router.id)
    }
    if (await networkRows.find(trx, known.network_id)) await removeNetwork(trx, known.network_id)
    await topologyRows.remove(trx, projectId)
  })
  deps.nudge(loops.networks)
  deps.nudge(loops.routers)
}

async function refuseWhileUsed(trx: Trx, networkId: string): Promise<void> {
  const ports = await portRows.ofNetwork(trx, networkId)
  const used = ports.find((port) => ![routerRows.interfaceOwner, dhcpOwner].includes(port.device_owner))
  if (used)
    throw conflict(
      'NetworkInUse',
      `Unable to complete operation on network ${networkId}. There are one or more ports still in use on the network.`,
    )
}
