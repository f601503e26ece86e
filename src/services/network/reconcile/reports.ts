import { faultPoint } from '../../../platform/faults.ts'
import * as dhcpRows from '../db/dhcp-ports.ts'
import * as hostRows from '../db/hosts.ts'
import * as meterRows from '../db/metering.ts'
import * as networkRows from '../db/networks.ts'
import * as routerRows from '../db/routers.ts'
import * as unsettled from '../db/unsettled.ts'
import { loops } from '../logic/deps.ts'
import {
  type MeterReadings,
  type NetworkInventory,
  type NetworkOrder,
  type NetworkReport,
  type PortOrder,
  subjects,
} from '../messages.ts'
import type { Orders } from './orders.ts'
import { absence } from './routers.ts'

/** Hears what hosts report. Returns the way to stop. */
export function listen(orders: Orders): () => void {
  const endings = [
    orders.bus.subscribe<NetworkReport>(subjects.report, (report) => onReport(orders, report)),
    orders.bus.subscribe<NetworkInventory>(subjects.inventory, (inventory) => onInventory(orders, inventory)),
    orders.bus.subscribe<MeterReadings>(subjects.meters, ({ readings }) => onReadings(orders, readings)),
    // One that has come, begun anew or come back may have missed orders: the loop knows which.
    orders.hosts.onChange(({ role }) => {
      if (role !== 'network') return
      orders.nudge(loops.ports)
      orders.nudge(loops.routers)
    }),
  ]
  return () => {
    for (const end of endings) end()
  }
}

async function onReadings({ database }: Orders, readings: MeterReadings['readings']): Promise<void> {
  await database.write(async (trx) => {
    for (const { labelId, packets, bytes } of readings) await meterRows.count(trx, labelId, packets, bytes)
  })
}

async function onReport({ database, clock }: Orders, report: NetworkReport): Promise<void> {
  const { host, kind, id, generation, state, message } = report
  const fault = state === 'error' ? (message ?? 'the host gave no reason') : null
  const absent = state === 'absent'
  await database.write(async (trx) => {
    if (kind === 'network') {
      await hostRows.networkReported(trx, { networkId: id, host, generation, fault, absent })
      if (fault === null && !absent) await dhcpRows.settled(trx, id, host)
    } else if (kind === 'group') {
      await unsettled.groupReported(trx, { groupId: id, host, generation, fault, absent })
    } else if (kind === 'router') {
      if (absent) await routerRows.removeGone(trx, id, host, generation)
      else if (await routerRows.reported(trx, { routerId: id, host, generation, fault })) {
        const works = fault === null && (await routerRows.find(trx, id))?.admin_state_up === 1
        await routerRows.setWorking(trx, id, works)
      }
    } else if (absent) {
      const networkId = await hostRows.removeGone(trx, id, host, generation)
      if (networkId !== undefined) await hostRows.noteIdle(trx, networkId, host, clock.nowMs())
    } else {
      const status = state === 'active' ? 'ACTIVE' : state === 'error' ? 'ERROR' : 'DOWN'
      await unsettled.portReported(trx, { portId: id, host, generation, status, fault })
    }
  })
  faultPoint('network.report.applied')
}

/** No order of ours has a higher one, and nothing that it speaks of ever comes back. */
const last = Number.MAX_SAFE_INTEGER
/** Nobody remembers which network it was on; the host knows from its own order. */
const unknownNetwork = '00000000-0000-0000-0000-000000000000'
const unknownMac = '00:00:00:00:00:00'

/** Compares what a host has with what it should have: what is missing is sent again, what nobody knows is taken away. */
async function onInventory(orders: Orders, { host, networks, ports, routers }: NetworkInventory): Promise<void> {
  const { database, bus, clock } = orders
  const { read } = database
  const carried = new Map((await unsettled.carriedBy(read, host)).map((row) => [row.network_id, row]))
  const there = new Set(networks)
  const missing = [...carried.values()].filter(
    (row) => row.wish === 'present' && row.settled && !there.has(row.network_id),
  )
  for (const row of missing) await database.write((trx) => unsettled.resendNetwork(trx, host, row.network_id))
  const lingering = [...carried.values()].filter(
    (row) => row.wish === 'absent' && row.settled && there.has(row.network_id),
  )
  for (const row of lingering) await database.write((trx) => unsettled.resendNetwork(trx, host, row.network_id))

  const unknown = networks.filter((id) => !carried.has(id))
  const known = await networkRows.byIds(read, unknown)
  for (const id of unknown) {
    // One that exists may come to this host later, so its order counts like any other.
    if (known.has(id)) await database.write((trx) => unsettled.insertUnwanted(trx, id, host, clock.nowMs()))
    else bus.publish(subjects.network(host), absentNetwork(id))
  }
  const portsKnown = await unsettled.portsKnownAt(read, host, ports)
  for (const id of ports) if (!portsKnown.has(id)) bus.publish(subjects.port(host), absentPort(id))
  if (routers) await compareRouters(orders, host, routers)
  if (missing.length + lingering.length + known.size > 0) orders.nudge(loops.ports)
}

async function compareRouters(orders: Orders, host: string, routers: readonly string[]): Promise<void> {
  const { database, bus } = orders
  const known = await routerRows.knownAt(database.read, host, routers)
  for (const id of routers) if (!known.has(id)) bus.publish(subjects.router(host), absence(id, last))
  const there = new Set(routers)
  const missing = (await routerRows.settledAt(database.read, host)).filter((id) => !there.has(id))
  for (const id of missing) await database.write((trx) => routerRows.touch(trx, id))
  if (missing.length > 0) orders.nudge(loops.routers)
}

const absentNetwork = (networkId: string): NetworkOrder => ({
  networkId,
  generation: last,
  wish: 'absent',
  projectId: '',
  mtu: 1500,
  vni: 0,
  peers: [],
  external: false,
  subnets: [],
})

const absentPort = (portId: string): PortOrder => ({
  portId,
  generation: last,
  networkId: unknownNetwork,
  wish: 'absent',
  adminStateUp: false,
  macAddress: unknownMac,
  mtu: 1500,
  fixedIps: [],
  portSecurity: true,
  securityGroupIds: [],
  allowedAddressPairs: [],
  defaultRoute: false,
})
