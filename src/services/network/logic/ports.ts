import { randomBytes } from 'node:crypto'
import type { Context } from '../../../platform/auth/context.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as networkRows from '../db/networks.ts'
import * as portRows from '../db/ports.ts'
import { touch as touchRouter } from '../db/routers.ts'
import * as subnetRows from '../db/subnets.ts'
import { tagsText } from '../db/tags.ts'
import { allocate, type FixedIpWish, reallocate } from './allocation.ts'
import type { Accepted } from './attributes.ts'
import { bind, removePort } from './bindings.ts'
import { type Deps, loops } from './deps.ts'
import { conflict, networkNotFound, portNotFound } from './errors.ts'
import { type ExtraDhcpOption, mergedOptions } from './extra-dhcp-options.ts'
import { flag } from './flags.ts'
import { type AddressPair, checkedGroups, completed, groupsFor } from './port-security.ts'
import { refuseForeign as refuseForeignPolicy } from './qos.ts'
import { claimAll } from './quotas.ts'
import { isRouterPort, portReadressed, refuseForeignRouter, refuseServicePort } from './routed-ports.ts'
import { changed } from './security-groups.ts'

export interface NewPort {
  project_id: string
  network_id: string
  name: string
  description: string
  admin_state_up: boolean
  mac_address?: string | null
  device_id: string
  device_owner: string
  fixed_ips?: FixedIpWish[]
  security_groups?: string[]
  port_security_enabled?: boolean
  allowed_address_pairs: AddressPair[]
  extra_dhcp_opts?: ExtraDhcpOption[]
  dns_name?: string
  dns_domain?: string
  qos_policy_id?: string | null
  tags?: string[]
  'binding:host_id'?: string | null
  'binding:vnic_type': string
  'binding:profile': Record<string, unknown> | null
}

export type PortChanges = Partial<Omit<NewPort, 'project_id' | 'network_id' | 'tags'>>

export async function create(
  deps: Deps,
  ctx: Context,
  items: readonly Accepted<NewPort>[],
): Promise<portRows.PortRow[]> {
  const rows = await deps.database.write(async (trx) => {
    await claimAll(trx, deps, 'port', items)
    const made: portRows.PortRow[] = []
    for (const { values } of items) made.push(await insert(trx, deps, ctx, values, {}))
    return made
  })
  if (rows.some((row) => row.host !== null)) deps.nudge(loops.ports)
  return rows
}

/** @throws CloudError in Neutron's words */
export async function insert(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  ctx: Pick<Context, 'isAdmin' | 'projectId'>,
  wanted: NewPort,
  compute: { nicIndex?: number; made?: boolean },
): Promise<portRows.PortRow> {
  const network = await networkRows.find(trx, wanted.network_id)
  if (!network) throw networkNotFound(wanted.network_id)
  await refuseForeignRouter(trx, ctx, wanted)
  await refuseForeignPolicy(trx, ctx, wanted.qos_policy_id)
  const security = wanted.port_security_enabled ?? network.port_security_enabled === 1
  const groups = await groupsFor(trx, deps, ctx, wanted, security)
  const host = wanted['binding:host_id'] || null
  const now = deps.clock.now()
  const row: portRows.PortRow = {
    id: newId(),
    project_id: wanted.project_id,
    network_id: network.id,
    name: wanted.name,
    description: wanted.description,
    mac_address: wanted.mac_address ?? newMac(),
    admin_state_up: flag(wanted.admin_state_up),
    status: 'DOWN',
    device_id: wanted.device_id,
    device_owner: wanted.device_owner,
    port_security_enabled: flag(security),
    allowed_address_pairs: JSON.stringify(wanted.allowed_address_pairs),
    host: null,
    vnic_type: wanted['binding:vnic_type'],
    binding_profile: JSON.stringify(wanted['binding:profile'] ?? {}),
    made_by_compute: flag(compute.made === true),
    nic_index: compute.nicIndex ?? 0,
    generation: 1,
    seen_generation: 0,
    fault: null,
    tags: tagsText(wanted.tags ?? []),
    dns_name: wanted.dns_name ?? '',
    dns_domain: wanted.dns_domain ?? '',
    extra_dhcp_opts: JSON.stringify(mergedOptions([], wanted.extra_dhcp_opts ?? [])),
    qos_policy_id: wanted.qos_policy_id ?? null,
    propagate_uplink_status: 0,
    created_at: now,
    updated_at: now,
    revision_number: 1,
  }
  while (!(await portRows.insert(trx, row))) {
    if (wanted.mac_address != null) throw macInUse(network.id, row.mac_address)
    row.mac_address = newMac()
  }
  await allocate(trx, row, await subnetRows.ofNetworks(trx, [network.id]), wanted.fixed_ips)
  if (groups.length > 0) await portRows.setGroups(trx, row.id, groups)
  if (wanted.allowed_address_pairs.length > 0) {
    const pairs = completed(wanted.allowed_address_pairs, row.mac_address, security)
    row.allowed_address_pairs = JSON.stringify(pairs)
    await portRows.update(trx, row.id, { allowed_address_pairs: row.allowed_address_pairs })
  }
  await bind(trx, row, host)
  return await get(trx, row.id)
}

/** `fa:16:3e` is the prefix OpenStack's ports are known by; three random bytes follow. */
const newMac = (): string =>
  `fa:16:3e:${[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`

const macInUse = (networkId: string, mac: string) =>
  conflict(
    'MacAddressInUse',
    `Unable to complete operation for network ${networkId}. The mac address ${mac} is in use.`,
  )

export async function update(deps: Deps, ctx: Context, id: string, changes: PortChanges): Promise<portRows.PortRow> {
  const row = await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    await change(trx, deps, ctx, before, changes)
    return await get(trx, id)
  })
  deps.nudge(loops.ports)
  deps.nudge(loops.routers)
  return row
}

/** In the caller's transaction; nudge `network.ports` after it. @throws CloudError in Neutron's words */
export async function change(
  trx: Trx,
  deps: Deps,
  ctx: Context,
  before: portRows.PortRow,
  changes: PortChanges,
): Promise<void> {
  const { id } = before
  const security = changes.port_security_enabled ?? before.port_security_enabled === 1
  const mac = changes.mac_address === null ? newMac() : (changes.mac_address ?? before.mac_address)
  await refuseForeignPolicy(trx, ctx, changes.qos_policy_id)
  if (mac !== before.mac_address) await refuseMac(trx, before, mac)
  const groups = (await portRows.groupsOf(trx, [id])).get(id) ?? []
  const newGroups =
    changes.security_groups && (await checkedGroups(trx, ctx, before.project_id, changes.security_groups, security))
  if (!security && (newGroups ?? groups).length > 0) {
    throw conflict(
      'PortSecurityPortHasSecurityGroup',
      'Port has security group associated. Cannot disable port security or ip address until security group is removed.',
    )
  }
  const pairs = completed(
    changes.allowed_address_pairs ?? (JSON.parse(before.allowed_address_pairs) as AddressPair[]),
    mac,
    security,
  )
  await portRows.update(trx, id, {
    ...(changes.name !== undefined && { name: changes.name }),
    ...(changes.description !== undefined && { description: changes.description }),
    ...(changes.admin_state_up !== undefined && { admin_state_up: flag(changes.admin_state_up) }),
    ...(changes.device_id !== undefined && { device_id: changes.device_id }),
    ...(changes.device_owner !== undefined && { device_owner: changes.device_owner }),
    ...(changes['binding:vnic_type'] !== undefined && { vnic_type: changes['binding:vnic_type'] }),
    ...(changes['binding:profile'] !== undefined && {
      binding_profile: JSON.stringify(changes['binding:profile'] ?? {}),
    }),
    ...(changes.dns_name !== undefined && { dns_name: changes.dns_name }),
    ...(changes.dns_domain !== undefined && { dns_domain: changes.dns_domain }),
    ...(changes.qos_policy_id !== undefined && { qos_policy_id: changes.qos_policy_id }),
    ...(changes.extra_dhcp_opts && {
      extra_dhcp_opts: JSON.stringify(
        mergedOptions(JSON.parse(before.extra_dhcp_opts) as ExtraDhcpOption[], changes.extra_dhcp_opts),
      ),
    }),
    mac_address: mac,
    port_security_enabled: flag(security),
    allowed_address_pairs: JSON.stringify(pairs),
    updated_at: deps.clock.now(),
  })
  if (newGroups) await portRows.setGroups(trx, id, newGroups)
  if (changes.fixed_ips) {
    const subnets = await subnetRows.ofNetworks(trx, [before.network_id])
    await reallocate(trx, { ...before, mac_address: mac }, subnets, changes.fixed_ips)
  }
  const now = await get(trx, id)
  await refuseForeignRouter(trx, ctx, now)
  if (changes.fixed_ips || isRouterPort(now)) await portReadressed(trx, now)
  if (isRouterPort(before)) await touchRouter(trx, before.device_id)
  // Who is in a group, and with which addresses, is what its other members' hosts know of this port.
  if (now.host !== null && (newGroups || changes.fixed_ips || changes.allowed_address_pairs)) {
    await changed(trx, [...groups, ...(newGroups ?? [])])
  }
  if (changes['binding:host_id'] !== undefined) await bind(trx, now, changes['binding:host_id'] || null)
}

/** Gives a port other addresses, whatever it had. */
export async function setAddresses(trx: Trx, id: string, wishes: readonly FixedIpWish[]): Promise<void> {
  const port = await get(trx, id)
  await reallocate(trx, port, await subnetRows.ofNetworks(trx, [port.network_id]), wishes)
  await portRows.update(trx, id, {})
}

async function refuseMac(trx: Trx, port: portRows.PortRow, mac: string): Promise<void> {
  if (port.host !== null) {
    throw conflict(
      'PortBound',
      `Unable to complete operation on port ${port.id}, port is already bound, port type: bridge, ` +
        `old_mac ${port.mac_address}, new_mac ${mac}.`,
    )
  }
  const others = await portRows.withMac(trx, port.network_id, mac)
  if (others) throw macInUse(port.network_id, mac)
}

export async function remove(deps: Deps, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    const port = await get(trx, id)
    await refuseServicePort(trx, port)
    await removePort(trx, port)
  })
  deps.nudge(loops.ports)
  deps.nudge(loops.routers)
}

/** @throws CloudError `notFound` */
export async function get(db: Db, id: string): Promise<portRows.PortRow> {
  const row = await portRows.find(db, id)
  if (!row) throw portNotFound(id)
  return row
}
