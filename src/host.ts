import { join } from 'node:path'
import { openEngine } from './machine/docker/engine.ts'
import type { Bus } from './platform/bus/bus.ts'
import type { Clock } from './platform/clock.ts'
import { type Config, localUrlOf } from './platform/config.ts'
import type { Logger } from './platform/log.ts'
import { dockerDriver } from './services/compute/host/docker.ts'
import { startComputeHost } from './services/compute/host/servers.ts'
import { startNetworkHost } from './services/network/host/agent.ts'
import { standardPort as standardTunnelPort } from './services/network/host/tunnel.ts'

export interface HostParts {
  config: Config
  cloudId: string
  bus: Bus
  log: Logger
  clock: Clock
}

export interface Host {
  /** Resolves when orders are carried out and the machine has been looked over. */
  readonly ready: Promise<void>
  /** Ends the roles; servers and their networks go on. */
  stop(): Promise<void>
}

/** The roles by the kernel: the network data path, and the Docker driver that plugs into it. No database here. */
export function startHost({ config, cloudId, bus, log, clock }: HostParts): Host {
  const { host, stateDir, engineSocket: socketPath, publicNat } = config
  const engine = openEngine(socketPath)
  const parts = { host, cloudId, stateDir, bus, clock }
  const network = startNetworkHost({
    ...{ ...parts, engine, publicNat },
    tunnelPort: standardTunnelPort + config.portBase,
    ...(config.tunnelIp === '' ? {} : { tunnelIp: config.tunnelIp }),
    metadata: { url: localUrlOf(config, 'metadata'), sharedSecret: config.metadataProxySharedSecret },
    log: log.child({ role: 'network' }),
  })
  const driver = dockerDriver({ socketPath, cloudId, configDrives: join(stateDir, 'host', 'config-drives') })
  const compute = startComputeHost({ ...parts, driver, plug: network.plug, log: log.child({ role: 'compute' }) })
  return {
    ready: Promise.all([network.ready, compute.ready]).then(() => {}),
    async stop() {
      await compute.stop()
      await network.stop()
      await engine.close()
    },
  }
}
