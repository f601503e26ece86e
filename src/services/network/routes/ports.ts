import type { RawBuilder, SqlBool } from 'kysely'
import { seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import * as allocationRows from '../db/allocations.ts'
import { portsByFixedIp, portsByGroup, visiblePorts } from '../db/listing.ts'
import * as networkRows from '../db/networks.ts'
import * as portRows from '../db/ports.ts'
import { tagsOf } from '../db/tags.ts'
import { canonicalIp } from '../logic/addresses.ts'
import type { Deps } from '../logic/deps.ts'
import { malformed, portNotFound } from '../logic/errors.ts'
import { dnsAssignment } from '../logic/port-names.ts'
import * as ports from '../logic/ports.ts'
import { port } from '../logic/resources.ts'
import { crud, type View } from './crud.ts'
import { networksAround } from './surroundings.ts'

/** Source: Network API reference, "Ports". */
export function portRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  crud<portRows.PortRow, ports.NewPort, ports.PortChanges>(app, deps, {
    resource: port,
    path: '/v2.0/ports',
    list: portRows.list,
    find: portRows.find,
    notFound: portNotFound,
    tagged: { table: 'network_ports' },
    visible: visiblePorts,
    filter,
    async views(rows) {
      const ids = rows.map((row) => row.id)
      const addresses = Map.groupBy(await allocationRows.ofPorts(db, ids), (row) => row.port_id)
      const groups = await portRows.groupsOf(db, ids)
      const networks = await networkRows.byIds(db, [...new Set(rows.map((row) => row.network_id))])
      return rows.map((row) =>
        viewOf(row, networks.get(row.network_id), addresses.get(row.id) ?? [], groups.get(row.id) ?? []),
      )
    },
    surroundings: (things, request) => networksAround(db, things, request),
    create: (deps, request, items) => ports.create(deps, request.ctx, items),
    update: (deps, request, id, changes) => ports.update(deps, request.ctx, id, changes),
    remove: (deps, _request, id) => ports.remove(deps, id),
  })
}

/** `fixed_ips=ip_address=10.0.0.5&fixed_ips=subnet_id=…`. Source: Network API reference, "List ports". */
function filter(name: string, values: string[]): RawBuilder<SqlBool> | undefined {
  if (name === 'security_groups') return portsByGroup(values)
  if (name !== 'fixed_ips') return undefined
  const wish: Record<string, string[]> = { ip_address: [], ip_address_substr: [], subnet_id: [] }
  for (const value of values) {
    const at = value.indexOf('=')
    const list = wish[value.slice(0, at)]
    if (at < 0 || !list) throw malformed(`Invalid input for fixed_ips. Reason: '${value}' is not a key=value pair.`)
    list.push(value.slice(at + 1))
  }
  return portsByFixedIp({
    addresses: wish.ip_address!.map((address) => canonicalIp(address) ?? address),
    parts: wish.ip_address_substr!,
    subnets: wish.subnet_id!,
  })
}

function viewOf(
  row: portRows.PortRow,
  network: networkRows.NetworkRow | undefined,
  addresses: readonly allocationRows.AllocationRow[],
  groups: string[],
): View {
  const bound = row.host !== null
  return {
    id: row.id,
    name: row.name,
    network_id: row.network_id,
    tenant_id: row.project_id,
    mac_address: row.mac_address,
    admin_state_up: row.admin_state_up === 1,
    status: row.status,
    device_id: row.device_id,
    device_owner: row.device_owner,
    fixed_ips: addresses.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
    allowed_address_pairs: JSON.parse(row.allowed_address_pairs) as unknown,
    extra_dhcp_opts: JSON.parse(row.extra_dhcp_opts) as unknown,
    dns_name: row.dns_name,
    dns_domain: row.dns_domain,
    dns_assignment: dnsAssignment(row, row.dns_domain || (network?.dns_domain ?? ''), addresses),
    qos_policy_id: row.qos_policy_id,
    qos_network_policy_id: network?.qos_policy_id ?? null,
    security_groups: groups,
    description: row.description,
    'binding:vnic_type': row.vnic_type,
    'binding:profile': JSON.parse(row.binding_profile) as unknown,
    'binding:host_id': row.host ?? '',
    'binding:vif_type': bound ? 'bridge' : 'unbound',
    'binding:vif_details': bound ? { port_filter: true, connectivity: 'l2' } : {},
    port_security_enabled: row.port_security_enabled === 1,
    tags: tagsOf(row),
    created_at: seconds(row.created_at),
    updated_at: seconds(row.updated_at),
    revision_number: row.revision_number,
    project_id: row.project_id,
  }
}
