import type { Db } from '../../../platform/db/database.ts'
import { faultPoint } from '../../../platform/faults.ts'
import type { Reconciler } from '../../../platform/reconcile/reconciler.ts'
import * as allocationRows from '../db/allocations.ts'
import * as hostRows from '../db/hosts.ts'
import * as networkRows from '../db/networks.ts'
import * as portRows from '../db/ports.ts'
import * as qosRows from '../db/qos.ts'
import * as unsettled from '../db/unsettled.ts'
import { loops } from '../logic/deps.ts'
import type { ExtraDhcpOption } from '../logic/extra-dhcp-options.ts'
import type { AddressPair } from '../logic/port-security.ts'
import { type PortOrder, subjects } from '../messages.ts'
import { createSent, hostsUp, type Orders } from './orders.ts'

/** Ports read and ordered at a time. */
const batch = 500

/**
 * Tells hosts about their ports. `before` are the loops for networks and groups: a port's order should find both there,
 * and compute nudges only this one.
 */
export function portsReconciler(orders: Orders, before: readonly Reconciler[]): Reconciler {
  const sent = createSent(orders.clock)
  return {
    name: loops.ports,
    everySeconds: 15,
    async run(signal) {
      const { read } = orders.database
      const earlier: Record<string, number>[] = []
      for (const loop of before) earlier.push(await loop.run(signal))
      const hosts = await hostsUp(orders)
      const seen = new Set<string>()
      let n = 0
      for (let after: portRows.PortRow | null = null; !signal.aborted; ) {
        const rows: portRows.PortRow[] = await unsettled.ports(read, hosts, after, batch)
        for (const row of rows) seen.add(keyOf(row.id, row.host))
        const due = rows.filter((row) => sent.isDue(keyOf(row.id, row.host), row.generation))
        for (const [host, order] of await ordersFor(read, due)) orders.bus.publish(subjects.port(host), order)
        if (due.length > 0) faultPoint('network.order.sent')
        n += due.length
        after = rows.at(-1) ?? null
        if (rows.length < batch) break
      }
      for (const gone of await hostRows.gonePorts(read, hosts)) {
        const key = `gone ${keyOf(gone.port_id, gone.host)}`
        seen.add(key)
        if (!sent.isDue(key, gone.generation)) continue
        orders.bus.publish(subjects.port(gone.host), absence(gone))
        n++
      }
      sent.keep(seen)
      return { sent: n, before: earlier.flatMap((result) => Object.values(result)).reduce((a, b) => a + b, 0) }
    },
  }
}

const keyOf = (id: string, host: string | null): string => `${id} ${host}`

function absence(gone: hostRows.GonePortRow): PortOrder {
  return {
    portId: gone.port_id,
    generation: gone.generation,
    networkId: gone.network_id,
    wish: 'absent',
    adminStateUp: false,
    macAddress: gone.mac_address,
    mtu: 1500,
    fixedIps: [],
    portSecurity: true,
    securityGroupIds: [],
    allowedAddressPairs: [],
    defaultRoute: false,
  }
}

async function ordersFor(db: Db, rows: readonly portRows.PortRow[]): Promise<[string, PortOrder][]> {
  if (rows.length === 0) return []
  const ids = rows.map((row) => row.id)
  const addresses = Map.groupBy(await allocationRows.ofPorts(db, ids), (row) => row.port_id)
  const groups = await portRows.groupsOf(db, ids)
  const networks = await networkRows.byIds(db, [...new Set(rows.map((row) => row.network_id))])
  const first = await unsettled.firstPorts(db, [...new Set(rows.map((row) => row.device_id))])
  const routed = await unsettled.portsWithDefaultRoute(db, [...new Set(rows.map((row) => row.device_id))])
  const policies = rows.flatMap((row) => policyOf(row, networks.get(row.network_id)) ?? [])
  const rules = Map.groupBy(await qosRows.rulesOf(db, [...new Set(policies)]), (rule) => rule.policy_id)
  return rows.map((row) => {
    const network = networks.get(row.network_id)
    const order: PortOrder = {
      portId: row.id,
      generation: row.generation,
      networkId: row.network_id,
      wish: 'bound',
      adminStateUp: row.admin_state_up === 1 && network?.admin_state_up === 1,
      macAddress: row.mac_address,
      mtu: network?.mtu ?? 1500,
      fixedIps: (addresses.get(row.id) ?? []).map((a) => ({ subnetId: a.subnet_id, ipAddress: a.ip_address })),
      portSecurity: row.port_security_enabled === 1,
      securityGroupIds: groups.get(row.id) ?? [],
      allowedAddressPairs: (JSON.parse(row.allowed_address_pairs) as AddressPair[]).map((pair) => ({
        ipAddress: pair.ip_address,
        macAddress: pair.mac_address ?? row.mac_address,
      })),
      defaultRoute: routed.has(row.id),
      metadataRoute: first.has(row.id),
      deviceId: row.device_id,
      projectId: row.project_id,
      dnsName: row.dns_name.replace(/\.$/, ''),
      extraDhcpOptions: (JSON.parse(row.extra_dhcp_opts) as ExtraDhcpOption[]).map((option) => ({
        name: option.opt_name,
        value: option.opt_value ?? '',
        ipVersion: option.ip_version,
      })),
      ...qosOf(rules.get(policyOf(row, network) ?? '')),
    }
    return [row.host ?? '', order]
  })
}

/** A port's own policy, or its network's, which the network's own devices do without. */
const policyOf = (port: portRows.PortRow, network: networkRows.NetworkRow | undefined): string | null =>
  port.qos_policy_id ?? (port.device_owner.startsWith('network:') ? null : (network?.qos_policy_id ?? null))

function qosOf(rules: readonly qosRows.QosRuleRow[] | undefined): Pick<PortOrder, 'qos'> {
  if (!rules || rules.length === 0) return {}
  const limit = (direction: 'ingress' | 'egress') => {
    const rule = rules.find((one) => one.type === 'bandwidth_limit' && one.direction === direction)
    return rule ? { kbps: rule.max_kbps ?? 0, burstKbits: rule.max_burst_kbps ?? 0 } : null
  }
  const dscpMark = rules.find((one) => one.type === 'dscp_marking')?.dscp_mark ?? null
  return { qos: { ingress: limit('ingress'), egress: limit('egress'), dscpMark } }
}
