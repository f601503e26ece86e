import { createHash } from 'node:crypto'
import type { Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as allocationRows from '../db/allocations.ts'
import * as dhcpRows from '../db/dhcp-ports.ts'
import * as networkRows from '../db/networks.ts'
import * as portRows from '../db/ports.ts'
import * as subnetRows from '../db/subnets.ts'
import { allocateOne } from './allocation.ts'
import type { Deps } from './deps.ts'
import { insert } from './ports.ts'

/** Source: RFC 4122 §4.3 (version 5, in the name space of DNS names), as Neutron names its DHCP agents' devices. */
const dnsNames = Buffer.from('6ba7b8109dad11d180b400c04fd430c8', 'hex')

/** Which host's, and of which network: `dhcp<uuid of the host>-<network id>`. */
export function dhcpDeviceOf(host: string, networkId: string): string {
  const hash = createHash('sha1')
    .update(dnsNames)
    .update(host.split('.')[0] ?? host)
    .digest()
    .subarray(0, 16)
  hash[6] = (hash[6]! & 0x0f) | 0x50
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex')
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  return `dhcp${uuid}-${networkId}`
}

/**
 * Gives a network's DHCP on a host its port, with an address of each subnet that has DHCP on; takes it away when none
 * has. A subnet without a free address goes without. Repeatable: writes only what differs.
 */
export async function ensureDhcpPort(
  trx: Trx,
  deps: Pick<Deps, 'clock'>,
  networkId: string,
  host: string,
): Promise<void> {
  const network = await networkRows.find(trx, networkId)
  const deviceId = dhcpDeviceOf(host, networkId)
  const subnets = (await subnetRows.ofNetworks(trx, [networkId])).filter((subnet) => subnet.enable_dhcp === 1)
  const [known] = (await dhcpRows.ofNetworks(trx, [networkId])).filter((port) => port.device_id === deviceId)
  if (!network || subnets.length === 0) {
    if (known) await dhcpRows.remove(trx, networkId, deviceId)
    return
  }
  const caller = { isAdmin: true, projectId: network.project_id }
  const port = known ?? (await insert(trx, deps, caller, { ...wanted(network), device_id: deviceId }, {}))
  const held = await allocationRows.ofPorts(trx, [port.id])
  const stale = held.filter((row) => !subnets.some((subnet) => subnet.id === row.subnet_id))
  const gone = stale.map((row) => ({ subnetId: row.subnet_id, ipAddress: row.ip_address }))
  await allocationRows.release(trx, port.id, gone)
  let ordinal = Math.max(-1, ...held.map((row) => row.ordinal))
  for (const subnet of subnets) {
    if (held.some((row) => row.subnet_id === subnet.id)) continue
    await allocateOne(trx, port, subnets, { subnet_id: subnet.id }, ++ordinal).catch((error) => {
      if (!(error instanceof CloudError && error.kind === 'conflict')) throw error
    })
  }
  if (port.host !== host) await portRows.update(trx, port.id, { host })
}

const wanted = (network: networkRows.NetworkRow) => ({
  project_id: network.project_id,
  network_id: network.id,
  name: '',
  description: '',
  admin_state_up: true,
  device_owner: dhcpRows.dhcpOwner,
  fixed_ips: [],
  security_groups: [],
  port_security_enabled: false,
  allowed_address_pairs: [],
  'binding:vnic_type': 'normal',
  'binding:profile': {},
})
