import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { seconds } from '../../../platform/clock.ts'
import type { Db } from '../../../platform/db/database.ts'
import * as groupRows from '../db/server-groups.ts'
import * as metadataRows from '../db/server-metadata.ts'
import * as tagRows from '../db/server-tags.ts'
import type { Server } from '../db/servers.ts'
import type { Deps, ServerPort } from '../logic/deps.ts'
import { statusOf } from '../logic/states.ts'
import { bookmark, selfLinks, since } from './common.ts'

/** What stands beside the rows of a page of servers: a few queries, however long the page. */
export interface Beside {
  ports: Map<string, ServerPort[]>
  metadata: Map<string, Record<string, string>>
  tags: Map<string, string[]>
  /** By host; empty for those who may not see it. */
  hostStatus: Map<string, string>
  /** Only for one server's own view. */
  groupIds: string[]
}

/** `one`: for a server's own view, which shows what a list leaves out. */
export async function loadBeside(
  deps: Deps,
  db: Db,
  request: FastifyRequest,
  servers: readonly Server[],
  view: 'one' | 'list' = 'list',
): Promise<Beside> {
  const ids = servers.map((server) => server.id)
  const [ports, metadata, tags, hostStatus] = await Promise.all([
    deps.network.serverPorts(db, ids),
    metadataRows.list(db, ids),
    since(request, '2.26') ? tagRows.list(db, ids) : new Map<string, string[]>(),
    since(request, '2.16') && mayAll(request, 'os_compute_api:servers:show:host_status')
      ? hostStatuses(deps, db)
      : new Map<string, string>(),
  ])
  const groupId = view === 'one' && since(request, '2.71') ? await groupRows.ofServer(db, ids[0]!) : null
  return { ports, metadata, tags, hostStatus, groupIds: groupId === null ? [] : [groupId] }
}

/** Of hosts with a compute service, in Nova's words. */
async function hostStatuses({ hostView }: Deps, db: Db): Promise<Map<string, string>> {
  const hosts = await hostView.list(db)
  return new Map(
    hosts.map(({ name, up, disabled, forcedDown }) => [
      name,
      forcedDown ? 'DOWN' : !up ? 'UNKNOWN' : disabled ? 'MAINTENANCE' : 'UP',
    ]),
  )
}

/** Whether a rule allows it for the caller's own project, which lists ask once for all rows. */
export const mayAll = (request: FastifyRequest, rule: string): boolean =>
  request.can({ project_id: request.ctx.projectId, user_id: request.ctx.userId }, rule)

export const basicView = (request: FastifyRequest, server: Server) => ({
  id: server.id,
  name: server.name,
  links: selfLinks(request, 'servers', server.id),
})

/** Microseconds without a zone, as these two fields have always been. */
const naive = (iso: string | null): string | null => (iso === null ? null : iso.replace('Z', ''))

/** `serverGroups`: only the view of one server has them, from 2.71. */
export function detailView(
  request: FastifyRequest,
  server: Server,
  beside: Beside,
  { serverGroups = false, allAttributes = true }: { serverGroups?: boolean; allAttributes?: boolean } = {},
): Record<string, unknown> {
  const status = statusOf(server)
  const ports = beside.ports.get(server.id) ?? []
  const view: Record<string, unknown> = {
    ...basicView(request, server),
    status,
    tenant_id: server.projectId,
    user_id: server.userId,
    metadata: beside.metadata.get(server.id) ?? {},
    hostId: hostIdOf(server),
    image: { id: server.imageId, links: [bookmark(request, 'images', server.imageId)] },
    flavor: flavorView(request, server),
    created: seconds(server.createdAt),
    updated: seconds(server.updatedAt),
    addresses: addressesView(ports, allAttributes),
    accessIPv4: server.accessIpV4 ?? '',
    accessIPv6: server.accessIpV6 ?? '',
    'OS-DCF:diskConfig': server.diskConfig,
  }
  if (['ACTIVE', 'BUILD'].includes(status)) view.progress = server.progress
  // SHUTOFF has one when the server ended by itself: upstream knows no such thing, and its clients show it.
  if (server.fault && ['ERROR', 'DELETED', 'SHUTOFF'].includes(status)) view.fault = faultView(server.fault)
  if (since(request, '2.9')) view.locked = server.lockedBy !== null
  if (since(request, '2.19')) view.description = server.description
  if (since(request, '2.26')) view.tags = beside.tags.get(server.id) ?? []
  if (since(request, '2.63')) view.trusted_image_certificates = null
  if (since(request, '2.73')) view.locked_reason = server.lockedReason
  if (allAttributes) Object.assign(view, attributesView(request, server, beside))
  if (serverGroups && since(request, '2.71')) view.server_groups = beside.groupIds
  return view
}

function attributesView(request: FastifyRequest, server: Server, beside: Beside): Record<string, unknown> {
  const ports = beside.ports.get(server.id) ?? []
  const groups = [...new Set(ports.flatMap((port) => port.securityGroupNames))]
  const status = beside.hostStatus.get(server.host ?? '')
  return {
    'OS-EXT-AZ:availability_zone': server.availabilityZone ?? '',
    config_drive: server.configDrive ? 'True' : '',
    key_name: server.keyName,
    'OS-SRV-USG:launched_at': naive(server.launchedAt),
    'OS-SRV-USG:terminated_at': naive(server.deletedAt),
    ...(groups.length > 0 ? { security_groups: groups.map((name) => ({ name })) } : {}),
    ...adminView(request, server),
    'OS-EXT-STS:task_state': server.taskState,
    'OS-EXT-STS:vm_state': server.vmState,
    'OS-EXT-STS:power_state': server.powerState,
    'os-extended-volumes:volumes_attached': [],
    ...(since(request, '2.16') && (status !== undefined || beside.hostStatus.size > 0)
      ? { host_status: status ?? '' }
      : {}),
  }
}

function adminView(request: FastifyRequest, server: Server): Record<string, unknown> {
  const target = { project_id: server.projectId, user_id: server.userId }
  if (!request.can(target, 'os_compute_api:os-extended-server-attributes')) {
    return since(request, '2.90') ? { 'OS-EXT-SRV-ATTR:hostname': server.hostname } : {}
  }
  return {
    'OS-EXT-SRV-ATTR:host': server.host,
    // The container's name, by which the Engine's own tools find it.
    'OS-EXT-SRV-ATTR:instance_name': `nova-${server.id}`,
    'OS-EXT-SRV-ATTR:hypervisor_hostname': server.host,
    ...(since(request, '2.3')
      ? {
          'OS-EXT-SRV-ATTR:hostname': server.hostname,
          'OS-EXT-SRV-ATTR:kernel_id': '',
          'OS-EXT-SRV-ATTR:launch_index': server.launchIndex,
          'OS-EXT-SRV-ATTR:ramdisk_id': '',
          'OS-EXT-SRV-ATTR:reservation_id': server.reservationId,
          'OS-EXT-SRV-ATTR:root_device_name': null,
          'OS-EXT-SRV-ATTR:user_data': server.userData,
        }
      : {}),
  }
}

function flavorView(request: FastifyRequest, { flavor }: Server): Record<string, unknown> {
  if (!since(request, '2.47')) return { id: flavor.id, links: [bookmark(request, 'flavors', flavor.id)] }
  return {
    vcpus: flavor.vcpus,
    ram: flavor.memoryMiB,
    disk: flavor.diskGiB,
    ephemeral: flavor.ephemeralGiB,
    swap: flavor.swapMiB,
    original_name: flavor.name,
    ...(mayAll(request, 'os_compute_api:servers:show:flavor-extra-specs') ? { extra_specs: flavor.extraSpecs } : {}),
  }
}

const faultView = ({ code, created, message, details }: NonNullable<Server['fault']>) => ({
  code,
  created: seconds(created),
  message,
  ...(details ? { details } : {}),
})

/** Tells a project which of its servers share a host, without telling which host it is. */
export const hostIdOf = ({ host, projectId }: Pick<Server, 'host' | 'projectId'>): string =>
  host === null ? '' : createHash('sha224').update(`${projectId}${host}`).digest('hex')

/** By network name. `withTypes` is false for `/servers/{id}/ips`, which has never had the extended attributes. */
export function addressesView(ports: readonly ServerPort[], withTypes = true): Record<string, object[]> {
  const networks: Record<string, object[]> = {}
  for (const port of ports) {
    networks[port.networkName] ??= []
    for (const { ipAddress, version } of port.fixedIps) {
      networks[port.networkName]!.push({
        version,
        addr: ipAddress,
        ...(withTypes ? { 'OS-EXT-IPS:type': 'fixed', 'OS-EXT-IPS-MAC:mac_addr': port.macAddress } : {}),
      })
      for (const floating of port.floatingIps) {
        if (floating.fixedIpAddress !== ipAddress) continue
        networks[port.networkName]!.push({
          version: 4,
          addr: floating.ipAddress,
          ...(withTypes ? { 'OS-EXT-IPS:type': 'floating', 'OS-EXT-IPS-MAC:mac_addr': port.macAddress } : {}),
        })
      }
    }
  }
  return networks
}
