import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { startHost } from './host.ts'
import type { Membership } from './hosts-door.ts'
import { natsBus } from './platform/bus/nats.ts'
import { systemClock } from './platform/clock.ts'
import { type Config, portOf, type ServiceName } from './platform/config.ts'
import type { Logger } from './platform/log.ts'

export interface JoinedHost {
  stop(): Promise<void>
}

/** What a host asks of control by itself: its engine pulls, its snapshots go up, its servers ask for metadata. */
const needed: readonly ServiceName[] = ['registry', 'image', 'metadata']

/**
 * The roles compute and network on a machine of their own: no database, and on the bus only what is this host's. What
 * it needs of control's services it finds on its own loopback address, as on a cloud of one machine: an engine takes
 * plain HTTP from there only.
 */
export async function startJoinedHost(
  config: Config,
  { cloudId, host, bus: door }: Membership,
  control: string,
  log: Logger,
): Promise<JoinedHost> {
  const doors = await Promise.all(needed.map((service) => forward(portOf(config, service), control)))
  const where = control.includes(':') ? `[${control}]` : control
  const url = `nats://${encodeURIComponent(door.user)}:${encodeURIComponent(door.password)}@${where}:${door.port}`
  const bus = natsBus(url, { host }, log)
  const roles = startHost({ config, cloudId, bus, log, clock: systemClock })
  try {
    await roles.ready
  } catch (error) {
    await bus.close()
    for (const server of doors) server.close()
    throw error
  }
  return {
    async stop() {
      await roles.stop()
      await bus.close()
      for (const server of doors) server.close()
    },
  }
}

/** Passes connections to a port of our own loopback address on to the same port of `host`. */
async function forward(port: number, host: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host, port, allowHalfOpen: true })
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
    near.pipe(far).pipe(near)
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}
