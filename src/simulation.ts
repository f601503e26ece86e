import type { StartCloud } from './cli/running-cloud.ts'
import { cloudOf } from './cloud.ts'
import type { Host, HostParts } from './host.ts'
import { CloudError } from './platform/errors.ts'
import { fakeDriver } from './services/compute/host/fake.ts'
import { startComputeHost } from './services/compute/host/servers.ts'
import { fakeNetworkHost } from './services/network/host/fake.ts'

export interface Simulation {
  hosts: number
  latencyMs: number
  /** Of 100 servers, so many can not be made. */
  failPercent: number
}

/** A cloud on hosts that only say what hosts would say: the control plane is all real, and no server runs. */
export const simulatedCloud =
  (wanted: Simulation): StartCloud =>
  (...given) =>
    cloudOf((parts) => startHosts(parts, wanted), `hosts: ${wanted.hosts}, all simulated`, ...given)

function startHosts({ cloudId, bus, log, clock }: HostParts, { hosts, latencyMs, failPercent }: Simulation): Host {
  const plug = { ready: async () => {} }
  const fail = () => {
    const unlucky = Math.random() * 100 < failPercent
    return unlucky ? new CloudError('internal', 'simulated: this server can not be made') : null
  }
  const started = Array.from({ length: hosts }, (_, i) => {
    const host = `sim${String(i + 1).padStart(String(hosts).length, '0')}`
    const network = fakeNetworkHost(host, bus, clock)
    const driver = fakeDriver({ latencyMs, ...(failPercent > 0 ? { fail } : {}) })
    const compute = startComputeHost({
      ...{ host, cloudId, stateDir: null, bus, driver, plug, log, clock },
      concurrency: 64,
    })
    return { compute, network }
  })
  return {
    ready: Promise.all(started.map(({ compute }) => compute.ready)).then(() => {}),
    async stop() {
      for (const { network } of started) network.stop()
      await Promise.all(started.map(({ compute }) => compute.stop()))
    },
  }
}
