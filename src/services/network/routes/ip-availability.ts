import type { FastifyRequest } from 'fastify'
import type { App } from '../../../platform/http/app.ts'
import { usedPerSubnet } from '../db/availability.ts'
import { among, type Listing } from '../db/listing.ts'
import * as networkRows from '../db/networks.ts'
import * as subnetRows from '../db/subnets.ts'
import { integerColumn, type Resource, textColumn } from '../logic/attributes.ts'
import type { Deps } from '../logic/deps.ts'
import { networkNotFound } from '../logic/errors.ts'
import { type Pool, rangeOf } from '../logic/pools.ts'
import { fieldsOf, filtersOf, selected } from './query.ts'

const availability: Resource = {
  singular: 'network_ip_availability',
  plural: 'network_ip_availabilities',
  attributes: {
    network_id: { column: textColumn('id') },
    network_name: { column: textColumn('name') },
    tenant_id: { column: textColumn('project_id') },
    project_id: { column: textColumn('project_id') },
    ip_version: { column: integerColumn('ip_version') },
  },
}

/** Source: Network API reference, "Network IP availability and usage stats". */
export function ipAvailabilityRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const rule = { config: { policy: 'get_network_ip_availability', check: 'handler' } as const }

  async function views(where: Listing['where'], version: number | null) {
    const networks = await networkRows.list(db, { where, sortKeys: [], markerRow: null, limit: null, reverse: false })
    const ids = networks.map((network) => network.id)
    const all = (await subnetRows.ofNetworks(db, ids)).filter((one) => version === null || one.ip_version === version)
    const subnets = Map.groupBy(all, (subnet) => subnet.network_id)
    const used = await usedPerSubnet(db, ids)
    return networks
      .filter((network) => version === null || subnets.has(network.id))
      .map((network) => viewOf(network, subnets.get(network.id) ?? [], used))
  }

  app.get('/v2.0/network-ip-availabilities', rule, async (request) => {
    if (!request.can({}, 'get_network_ip_availability')) return { network_ip_availabilities: [] }
    const { ip_version: version, ...rest } = request.query as Record<string, string | string[]>
    const plain = Object.assign(Object.create(request) as FastifyRequest, { query: rest })
    const found = await views(
      filtersOf(plain, availability, () => undefined),
      version === undefined ? null : Number(version),
    )
    return { network_ip_availabilities: found.map((view) => selected(view, fieldsOf(request))) }
  })

  app.get('/v2.0/network-ip-availabilities/:id', rule, async (request) => {
    const { id } = request.params as { id: string }
    if (!request.can({}, 'get_network_ip_availability')) throw networkNotFound(id)
    const [view] = await views([among('id', [id])], null)
    if (!view) throw networkNotFound(id)
    return { network_ip_availability: selected(view, fieldsOf(request)) }
  })
}

function viewOf(
  network: networkRows.NetworkRow,
  subnets: readonly subnetRows.SubnetRow[],
  used: ReadonlyMap<string, number>,
): Record<string, unknown> {
  const each = subnets.map((subnet) => ({ subnet, total: sizeOf(subnet), taken: used.get(subnet.id) ?? 0 }))
  return {
    network_id: network.id,
    network_name: network.name,
    tenant_id: network.project_id,
    project_id: network.project_id,
    total_ips: number(each.reduce((sum, { total }) => sum + total, 0n)),
    used_ips: each.reduce((sum, { taken }) => sum + taken, 0),
    subnet_ip_availability: each.map(({ subnet, total, taken }) => ({
      ...{ subnet_id: subnet.id, subnet_name: subnet.name, cidr: subnet.cidr, ip_version: subnet.ip_version },
      ...{ total_ips: number(total), used_ips: taken },
    })),
  }
}

const sizeOf = (subnet: subnetRows.SubnetRow): bigint =>
  (JSON.parse(subnet.allocation_pools) as Pool[]).reduce((sum, pool) => {
    const { first, last } = rangeOf(pool)
    return sum + last - first + 1n
  }, 0n)

/** An IPv6 subnet has more addresses than a JavaScript number can count. */
const number = (value: bigint): unknown => raw.rawJSON(`${value}`)
/** Of ECMAScript 2025; TypeScript's library does not know it yet. */
const raw = JSON as unknown as { rawJSON(text: string): unknown }
