import { seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import { visibleSubnets } from '../db/listing.ts'
import * as subnetRows from '../db/subnets.ts'
import type { Deps } from '../logic/deps.ts'
import { subnetNotFound } from '../logic/errors.ts'
import { subnet } from '../logic/resources.ts'
import * as subnets from '../logic/subnets.ts'
import { crud, type View } from './crud.ts'
import { networksAround } from './surroundings.ts'

/** Source: Network API reference, "Subnets". */
export function subnetRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  crud<subnetRows.SubnetRow, subnets.NewSubnet, subnets.SubnetChanges>(app, {
    resource: subnet,
    path: '/v2.0/subnets',
    db,
    policy: deps.policy,
    list: (listing) => subnetRows.list(db, listing),
    find: (id) => subnetRows.find(db, id),
    notFound: subnetNotFound,
    visible: visibleSubnets,
    views: async (rows) => rows.map(viewOf),
    surroundings: (things, request) => networksAround(db, things, request),
    create: (_request, items) => subnets.create(deps, items),
    update: (_request, id, changes) => subnets.update(deps, id, changes),
    remove: (_request, id) => subnets.remove(deps, id),
  })
}

function viewOf(row: subnetRows.SubnetRow): View {
  return {
    id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    network_id: row.network_id,
    ip_version: row.ip_version,
    subnetpool_id: null,
    enable_dhcp: row.enable_dhcp === 1,
    ipv6_ra_mode: row.ipv6_ra_mode,
    ipv6_address_mode: row.ipv6_address_mode,
    gateway_ip: row.gateway_ip,
    cidr: row.cidr,
    allocation_pools: JSON.parse(row.allocation_pools) as unknown,
    host_routes: JSON.parse(row.host_routes) as unknown,
    dns_nameservers: JSON.parse(row.dns_nameservers) as unknown,
    description: row.description,
    service_types: [],
    tags: [],
    created_at: seconds(row.created_at),
    updated_at: seconds(row.updated_at),
    revision_number: row.revision_number,
    project_id: row.project_id,
  }
}
