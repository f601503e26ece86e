import { seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import { sharedWith, visibleSubnets } from '../db/listing.ts'
import * as subnetRows from '../db/subnets.ts'
import { tagsOf } from '../db/tags.ts'
import type { Deps } from '../logic/deps.ts'
import { subnetNotFound } from '../logic/errors.ts'
import { subnet } from '../logic/resources.ts'
import * as subnets from '../logic/subnets.ts'
import { crud, type View } from './crud.ts'
import { flagOf } from './query.ts'
import { networksAround } from './surroundings.ts'

/** Source: Network API reference, "Subnets". */
export function subnetRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  crud<subnetRows.SubnetRow, subnets.NewSubnet, subnets.SubnetChanges>(app, deps, {
    resource: subnet,
    path: '/v2.0/subnets',
    list: subnetRows.list,
    find: subnetRows.find,
    notFound: subnetNotFound,
    tagged: { table: 'network_subnets' },
    visible: visibleSubnets,
    views: async (rows) => rows.map(viewOf),
    surroundings: (things, request) => networksAround(db, things, request),
    filter(name, values, request) {
      if (name !== 'shared') return undefined
      return sharedWith('network', request.ctx.projectId, flagOf(name, values.at(-1) ?? ''), 'network_id')
    },
    create: (deps, request, items) => subnets.create(deps, request.ctx, items),
    update: (deps, _request, id, changes) => subnets.update(deps, id, changes),
    remove: (deps, _request, id) => subnets.remove(deps, id),
  })
}

function viewOf(row: subnetRows.SubnetRow): View {
  return {
    id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    network_id: row.network_id,
    ip_version: row.ip_version,
    subnetpool_id: row.subnetpool_id,
    enable_dhcp: row.enable_dhcp === 1,
    ipv6_ra_mode: row.ipv6_ra_mode,
    ipv6_address_mode: row.ipv6_address_mode,
    gateway_ip: row.gateway_ip,
    cidr: row.cidr,
    allocation_pools: JSON.parse(row.allocation_pools) as unknown,
    host_routes: JSON.parse(row.host_routes) as unknown,
    dns_nameservers: JSON.parse(row.dns_nameservers) as unknown,
    description: row.description,
    service_types: JSON.parse(row.service_types) as unknown,
    dns_publish_fixed_ip: row.dns_publish_fixed_ip === 1,
    tags: tagsOf(row),
    created_at: seconds(row.created_at),
    updated_at: seconds(row.updated_at),
    revision_number: row.revision_number,
    project_id: row.project_id,
  }
}
