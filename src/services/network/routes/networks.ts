import { seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import { visibleNetworks } from '../db/listing.ts'
import * as networkRows from '../db/networks.ts'
import { scopesOfNetworks } from '../db/subnet-pools.ts'
import * as subnetRows from '../db/subnets.ts'
import { tagsOf } from '../db/tags.ts'
import type { Deps } from '../logic/deps.ts'
import { networkNotFound } from '../logic/errors.ts'
import * as networks from '../logic/networks.ts'
import { network } from '../logic/resources.ts'
import { crud, type View } from './crud.ts'

/** Source: Network API reference, "Networks". */
export function networkRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  crud<networkRows.NetworkRow, networks.NewNetwork, networks.NetworkChanges>(app, deps, {
    resource: network,
    path: '/v2.0/networks',
    list: networkRows.list,
    find: networkRows.find,
    notFound: networkNotFound,
    sharedAs: 'network',
    tagged: { table: 'network_networks' },
    visible: visibleNetworks,
    async views(rows) {
      const subnets = await subnetRows.ofNetworks(
        db,
        rows.map((row) => row.id),
      )
      const pooled = subnets.flatMap((subnet) => (subnet.subnetpool_id === null ? [] : [subnet.network_id]))
      const scopes = Map.groupBy(await scopesOfNetworks(db, [...new Set(pooled)]), (scope) => scope.network_id)
      const byNetwork = Map.groupBy(subnets, (subnet) => subnet.network_id)
      return rows.map((row) =>
        viewOf(
          row,
          (byNetwork.get(row.id) ?? []).map((subnet) => subnet.id),
          scopes.get(row.id) ?? [],
        ),
      )
    },
    create: (deps, request, items) => networks.create(deps, request.ctx, items),
    update: (deps, request, id, changes) => networks.update(deps, request.ctx, id, changes),
    remove: (deps, _request, id) => networks.remove(deps, id),
  })
}

function viewOf(
  row: networkRows.NetworkRow,
  subnets: string[],
  scopes: readonly { ip_version: number; address_scope_id: string }[],
): View {
  const scopeOf = (version: number) => scopes.find((scope) => scope.ip_version === version)?.address_scope_id ?? null
  return {
    id: row.id,
    name: row.name,
    tenant_id: row.project_id,
    admin_state_up: row.admin_state_up === 1,
    mtu: row.mtu,
    status: row.status,
    subnets,
    availability_zone_hints: JSON.parse(row.availability_zone_hints) as unknown,
    dns_domain: row.dns_domain,
    qos_policy_id: row.qos_policy_id,
    availability_zones: ['nova'],
    ipv4_address_scope: scopeOf(4),
    ipv6_address_scope: scopeOf(6),
    'router:external': row.external === 1,
    is_default: row.is_default === 1,
    description: row.description,
    port_security_enabled: row.port_security_enabled === 1,
    tags: tagsOf(row),
    created_at: seconds(row.created_at),
    updated_at: seconds(row.updated_at),
    revision_number: row.revision_number,
    project_id: row.project_id,
    'provider:network_type': row.network_type,
    'provider:physical_network': row.physical_network,
    'provider:segmentation_id': row.segmentation_id,
  }
}
