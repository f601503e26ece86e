import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import type { Server } from '../db/servers.ts'
import type { Deps } from '../logic/deps.ts'
import * as hostRequests from '../logic/host-requests.ts'
import type { Diagnostics } from '../messages.ts'
import { since } from './common.ts'
import { findServer } from './find-server.ts'

/** Source: Compute API reference, "Servers diagnostics (servers, diagnostics)". */
export function serverDiagnosticsRoutes(app: App, deps: Deps): void {
  app.get(
    '/servers/:id/diagnostics',
    {
      config: { policy: 'os_compute_api:os-server-diagnostics', check: 'handler' },
      schema: { params: Type.Object({ id: Type.String() }) },
    },
    async (request) => {
      const server = await findServer(deps, request, request.params.id)
      const diagnostics = await hostRequests.diagnostics(deps, server)
      return since(request, '2.48') ? standardView(server, diagnostics) : freeView(diagnostics)
    },
  )
}

const states = { running: 'running', paused: 'paused', stopped: 'shutdown', absent: 'pending' } as const

function standardView(server: Server, d: Diagnostics): Record<string, unknown> {
  return {
    state: states[d.state],
    // A closed list, which has no word for Docker; `hypervisor` says what it is.
    driver: 'libvirt',
    hypervisor: 'docker',
    hypervisor_os: 'linux',
    uptime: Math.round(d.uptimeSeconds),
    config_drive: server.configDrive,
    num_cpus: server.flavor.vcpus,
    num_nics: d.nics.length,
    num_disks: 1,
    // What the Engine does not count is unknown, not zero.
    disk_details: [],
    cpu_details: [{ id: null, time: d.cpuTimeNs, utilisation: null }],
    nic_details: d.nics.map((nic) => ({
      ...{ mac_address: nic.macAddress, rx_octets: nic.rxBytes, rx_packets: nic.rxPackets },
      ...{ tx_octets: nic.txBytes, tx_packets: nic.txPackets },
      ...{ rx_errors: null, rx_drop: null, rx_rate: null, tx_errors: null, tx_drop: null, tx_rate: null },
    })),
    memory_details: { maximum: Math.round(d.memoryMaximumMiB), used: Math.round(d.memoryUsedMiB) },
  }
}

/** Before 2.48 each driver had names of its own; these are libvirt's, which tools know, and the end of the process. */
function freeView(d: Diagnostics): Record<string, unknown> {
  const nics = d.nics.flatMap((nic, i) => [
    [`eth${i}_rx`, nic.rxBytes],
    [`eth${i}_rx_packets`, nic.rxPackets],
    [`eth${i}_tx`, nic.txBytes],
    [`eth${i}_tx_packets`, nic.txPackets],
  ])
  return {
    cpu0_time: d.cpuTimeNs,
    memory: Math.round(d.memoryMaximumMiB * 1024),
    'memory-actual': Math.round(d.memoryMaximumMiB * 1024),
    'memory-rss': Math.round(d.memoryUsedMiB * 1024),
    ...Object.fromEntries(nics),
    ...(d.exit ? { exit_code: d.exit.code, out_of_memory: d.exit.outOfMemory, last_output: d.exit.lastOutput } : {}),
  }
}
