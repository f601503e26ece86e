import { randomInt } from 'node:crypto'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as dhcpRows from '../db/dhcp-ports.ts'
import * as hostRows from '../db/hosts.ts'
import * as networkRows from '../db/networks.ts'
import * as portRows from '../db/ports.ts'
import { defaultOf as defaultPolicyOf } from '../db/qos.ts'
import { removeOf } from '../db/rbac.ts'
import * as subnetRows from '../db/subnets.ts'
import type { Caller } from './access.ts'
import type { Accepted } from './attributes.ts'
import { zonesText } from './availability-zones.ts'
import { type Deps, loops } from './deps.ts'
import { conflict, invalidInput, networkInUse, networkNotFound } from './errors.ts'
import { flag } from './flags.ts'
import { refuseForeign as refuseForeignPolicy } from './qos.ts'
import { claimAll } from './quotas.ts'
import { releaseIdleFloatingIps } from './routed-ports.ts'
import { ensureDefault } from './security-groups.ts'
import { setExternal, setShared } from './sharing.ts'
import { removeWith } from './subnets.ts'

export interface NewNetwork {
  project_id: string
  name: string
  description: string
  admin_state_up: boolean
  shared: boolean
  'router:external': boolean
  is_default?: boolean
  mtu?: number
  port_security_enabled: boolean
  dns_domain?: string
  qos_policy_id?: string | null
  availability_zone_hints?: string[]
  'provider:network_type'?: string
  'provider:physical_network'?: string | null
  'provider:segmentation_id'?: number | null
}

export type NetworkChanges = Partial<
  Pick<
    NewNetwork,
    | 'name'
    | 'description'
    | 'admin_state_up'
    | 'shared'
    | 'router:external'
    | 'is_default'
    | 'mtu'
    | 'port_security_enabled'
    | 'dns_domain'
    | 'qos_policy_id'
  >
>

/** What VXLAN over IPv4 leaves of Ethernet's 1500, so that a network may grow onto a second host. RFC 7348 §4.3. */
const tenantMtu = 1450
const externalMtu = 1500
const segments = 2 ** 24

export async function create(
  deps: Deps,
  caller: Caller,
  items: readonly Accepted<NewNetwork>[],
): Promise<networkRows.NetworkRow[]> {
  const rows = await deps.database.write(async (trx) => {
    await claimAll(trx, deps, 'network', items)
    const made: networkRows.NetworkRow[] = []
    for (const { values } of items) {
      await ensureDefault(trx, deps.clock, values.project_id)
      await refuseForeignPolicy(trx, caller, values.qos_policy_id)
      made.push(await insert(trx, deps, values))
    }
    return made
  })
  if (rows.some((row) => row.external)) deps.nudge(loops.networks)
  return rows
}

/** One network, on a segment of its own. @throws CloudError when the segment asked for is taken */
export async function insert(trx: Trx, deps: Pick<Deps, 'clock'>, wanted: NewNetwork): Promise<networkRows.NetworkRow> {
  const type = wanted['provider:network_type'] ?? 'vxlan'
  if (type !== 'vxlan') throw invalidInput(`network_type value '${type}' not supported`)
  if (wanted['provider:physical_network']) {
    throw invalidInput('provider:physical_network specified for VXLAN network')
  }
  const now = deps.clock.now()
  const asked = wanted['provider:segmentation_id'] ?? null
  const row: networkRows.NetworkRow = {
    id: newId(),
    project_id: wanted.project_id,
    name: wanted.name,
    description: wanted.description,
    admin_state_up: flag(wanted.admin_state_up),
    external: 0,
    mtu: mtuOf(wanted.mtu ?? 0, wanted['router:external']),
    port_security_enabled: flag(wanted.port_security_enabled),
    network_type: type,
    physical_network: null,
    segmentation_id: asked ?? randomInt(1, segments),
    segment: null,
    is_default: 0,
    status: 'ACTIVE',
    ...{ tags: '', dns_domain: wanted.dns_domain ?? '' },
    qos_policy_id: wanted.qos_policy_id ?? (await defaultPolicyOf(trx, wanted.project_id))?.id ?? null,
    availability_zone_hints: zonesText(wanted.availability_zone_hints),
    created_at: now,
    updated_at: now,
    revision_number: 1,
  }
  while (!(await networkRows.insert(trx, row))) {
    if (asked !== null) {
      throw conflict('TunnelIdInUse', `Unable to create the network. The tunnel ID ${asked} is in use.`)
    }
    row.segmentation_id = randomInt(1, segments)
  }
  if (wanted['router:external']) await setExternal(trx, row, true)
  if (wanted.shared) await setShared(trx, 'network', row, true)
  if (wanted.is_default) await makeDefault(trx, row.id)
  return wanted['router:external'] || wanted.is_default ? await get(trx, row.id) : row
}

/** 0 asks for the cloud's own. */
function mtuOf(wanted: number, external: boolean): number {
  const most = external ? externalMtu : tenantMtu
  if (wanted === 0) return most
  if (wanted > most) throw invalidInput(`Requested MTU is too big, maximum is ${most}`)
  if (wanted < 68) throw invalidInput('Requested MTU is too small, minimum is 68')
  return wanted
}

export async function update(
  deps: Deps,
  caller: Caller,
  id: string,
  changes: NetworkChanges,
): Promise<networkRows.NetworkRow> {
  const row = await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    await refuseForeignPolicy(trx, caller, changes.qos_policy_id)
    const external = changes['router:external'] ?? before.external === 1
    if (before.external === 1 && !external) await refuseWhileUsed(trx, before)
    if (changes.shared !== undefined) await setShared(trx, 'network', before, changes.shared)
    if (changes.is_default) await makeDefault(trx, id)
    await networkRows.update(trx, id, {
      ...(changes.name !== undefined && { name: changes.name }),
      ...(changes.description !== undefined && { description: changes.description }),
      ...(changes.admin_state_up !== undefined && { admin_state_up: flag(changes.admin_state_up) }),
      ...(changes.dns_domain !== undefined && { dns_domain: changes.dns_domain }),
      ...(changes.qos_policy_id !== undefined && { qos_policy_id: changes.qos_policy_id }),
      ...(changes.is_default === false && { is_default: 0 }),
      ...(changes.port_security_enabled !== undefined && {
        port_security_enabled: flag(changes.port_security_enabled),
      }),
      ...(changes.mtu !== undefined && { mtu: mtuOf(changes.mtu, external) }),
      updated_at: deps.clock.now(),
    })
    if (changes['router:external'] !== undefined) await setExternal(trx, before, external)
    await touch(
      trx,
      id,
      changes.mtu !== undefined || changes.admin_state_up !== undefined || changes.qos_policy_id !== undefined,
    )
    return await get(trx, id)
  })
  deps.nudge(loops.ports)
  deps.nudge(loops.routers)
  return row
}

/** Hosts hear of the network again; of its ports too when the change goes with each of them. */
export async function touch(trx: Trx, id: string, portsToo: boolean): Promise<void> {
  await hostRows.touchNetwork(trx, id)
  if (portsToo) await portRows.touchNetwork(trx, id)
}

async function refuseWhileUsed(trx: Trx, network: networkRows.NetworkRow): Promise<void> {
  if (await portRows.anyOfNetwork(trx, network.id)) {
    throw conflict(
      'ExternalNetworkInUse',
      `External network ${network.id} cannot be updated to be made non-external, since it has existing gateway ports.`,
    )
  }
}

/** There is one default way out: it is this one from now on. */
async function makeDefault(trx: Trx, id: string): Promise<void> {
  const old = await networkRows.defaultExternal(trx)
  if (old && old.id !== id) {
    throw conflict('DefaultExternalNetworkExists', `A default external network already exists: ${old.id}.`)
  }
  await networkRows.update(trx, id, { is_default: 1 })
}

/** Its subnets go with it, and floating IPs that lead nowhere; its ports do not. @throws CloudError `conflict` (NetworkInUse) */
export async function remove(deps: Deps, id: string): Promise<void> {
  await deps.database.write((trx) => removeIn(trx, id))
  deps.nudge(loops.networks)
}

export async function removeIn(trx: Trx, id: string): Promise<void> {
  await get(trx, id)
  await releaseIdleFloatingIps(trx, id)
  if (await portRows.anyOfNetwork(trx, id)) throw networkInUse(id)
  await dhcpRows.remove(trx, id)
  for (const subnet of await subnetRows.ofNetworks(trx, [id])) await removeWith(trx, subnet.id)
  await hostRows.dropNetwork(trx, id)
  await networkRows.remove(trx, id)
  await removeOf(trx, id)
  await hostRows.removeSettledNetwork(trx, id)
}

/** @throws CloudError `notFound` */
export async function get(db: Db, id: string): Promise<networkRows.NetworkRow> {
  const row = await networkRows.find(db, id)
  if (!row) throw networkNotFound(id)
  return row
}
