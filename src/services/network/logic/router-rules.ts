import type { Db } from '../../../platform/db/database.ts'
import * as allocationRows from '../db/allocations.ts'
import * as routerRows from '../db/routers.ts'
import * as subnetRows from '../db/subnets.ts'
import { contains, overlap, parseCidr, parseIp } from './addresses.ts'
import { badRouter, invalidRoutes, tooManyRoutes } from './router-errors.ts'
import type { Route } from './router-resources.ts'

/** Source: Neutron configuration reference, "max_routes". */
const mostRoutes = 30

export const subnetsOfNetwork = (db: Db, networkId: string) => subnetRows.ofNetworks(db, [networkId])

/** The subnets a router stands on, with its address on each. */
async function standing(db: Db, routerId: string) {
  const ports = await routerRows.portsOf(db, [routerId])
  const subnets = await subnetRows.ofNetworks(db, [...new Set(ports.map((port) => port.network_id))])
  const addresses = await allocationRows.ofPorts(
    db,
    ports.map((port) => port.id),
  )
  return { ports, subnets, addresses }
}

/**
 * A router may not stand twice on a subnet, nor on two that overlap: no address would say where it is. Its way out
 * counts with all subnets of its network.
 * @throws CloudError `badRequest`
 */
export async function refuseOverlap(db: Db, routerId: string, fresh: readonly subnetRows.SubnetRow[]): Promise<void> {
  const { ports, subnets, addresses } = await standing(db, routerId)
  const outside = new Set(ports.filter((p) => p.device_owner === routerRows.gatewayOwner).map((p) => p.network_id))
  const own = new Set(addresses.map((address) => address.subnet_id))
  for (const subnet of fresh) {
    if (own.has(subnet.id)) throw badRouter(`Router already has a port on subnet ${subnet.id}`)
    const cidr = parseCidr(subnet.cidr)!
    for (const other of subnets) {
      if (!own.has(other.id) && !outside.has(other.network_id)) continue
      const taken = parseCidr(other.cidr)!
      if (taken.version !== cidr.version || !overlap(taken, cidr)) continue
      throw badRouter(
        `Cidr ${subnet.cidr} of subnet ${subnet.id} overlaps with cidr ${other.cidr} of subnet ${other.id}`,
      )
    }
  }
}

/** Every next hop is a neighbour of the router, and not itself. @throws CloudError `badRequest` (InvalidRoutes) */
export async function refuseRoutes(db: Db, routerId: string, routes: readonly Route[]): Promise<void> {
  if (routes.length > mostRoutes) throw tooManyRoutes(routerId, mostRoutes)
  if (routes.length === 0) return
  const { subnets, addresses } = await standing(db, routerId)
  const own = new Set(addresses.map((address) => address.subnet_id))
  const near = subnets.filter((subnet) => own.has(subnet.id)).map((subnet) => parseCidr(subnet.cidr)!)
  for (const { nexthop } of routes) {
    const hop = parseIp(nexthop)!
    if (!near.some((cidr) => cidr.version === hop.version && contains(cidr, hop.value)))
      throw invalidRoutes(routes, 'the nexthop is not connected with router')
    if (addresses.some((address) => address.ip_address === nexthop))
      throw invalidRoutes(routes, 'the nexthop is used by router')
  }
}
