import { seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import * as floatingRows from '../db/floating-ips.ts'
import * as forwardingRows from '../db/port-forwardings.ts'
import * as portRows from '../db/ports.ts'
import { tagsOf } from '../db/tags.ts'
import type { Deps } from '../logic/deps.ts'
import * as floatingIps from '../logic/floating-ips.ts'
import { floatingIpNotFound } from '../logic/router-errors.ts'
import { floatingIp } from '../logic/router-resources.ts'
import { crud, type View } from './crud.ts'
import { forwardingInFloatingIp } from './port-forwardings.ts'

/** Source: Network API reference, "Floating IPs". */
export function floatingIpRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  crud<floatingRows.FloatingIpRow, floatingIps.NewFloatingIp, floatingIps.FloatingIpChanges>(app, deps, {
    resource: floatingIp,
    path: '/v2.0/floatingips',
    list: floatingRows.list,
    find: floatingRows.find,
    notFound: floatingIpNotFound,
    tagged: { table: 'network_floating_ips' },
    async views(rows) {
      const ports = await portRows.byIds(
        db,
        rows.flatMap((row) => row.port_id ?? []),
      )
      const ids = rows.map((row) => row.id)
      const forwardings = Map.groupBy(await forwardingRows.ofFloatingIps(db, ids), (one) => one.floating_ip_id)
      return rows.map((row) => viewOf(row, ports.get(row.port_id ?? ''), forwardings.get(row.id) ?? []))
    },
    create: (deps, request, items) => floatingIps.create(deps, request.ctx, items),
    update: (deps, request, id, changes) => floatingIps.update(deps, request.ctx, id, changes),
    remove: (deps, _request, id) => floatingIps.remove(deps, id),
  })
}

function viewOf(
  row: floatingRows.FloatingIpRow,
  port: portRows.PortRow | undefined,
  forwardings: readonly forwardingRows.PortForwardingRow[],
): View {
  return {
    id: row.id,
    tenant_id: row.project_id,
    floating_ip_address: row.floating_ip_address,
    floating_network_id: row.floating_network_id,
    router_id: row.router_id,
    port_id: row.port_id,
    fixed_ip_address: row.fixed_ip_address,
    status: row.status,
    description: row.description,
    port_details: port
      ? {
          name: port.name,
          network_id: port.network_id,
          mac_address: port.mac_address,
          admin_state_up: port.admin_state_up === 1,
          status: port.status,
          device_id: port.device_id,
          device_owner: port.device_owner,
        }
      : null,
    port_forwardings: forwardings.map(forwardingInFloatingIp),
    tags: tagsOf(row),
    created_at: seconds(row.created_at),
    updated_at: seconds(row.updated_at),
    revision_number: row.revision_number,
    project_id: row.project_id,
  }
}
