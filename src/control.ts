import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { BlobStore } from './platform/blobs/blobs.ts'
import type { Bus } from './platform/bus/bus.ts'
import type { Clock } from './platform/clock.ts'
import { type Config, loopbackBeside, portOf, speaksTls, urlOf } from './platform/config.ts'
import type { Database } from './platform/db/database.ts'
import { migrate } from './platform/db/migrate.ts'
import { CloudError } from './platform/errors.ts'
import { createHosts, type Hosts } from './platform/hosts/hosts.ts'
import type { App } from './platform/http/app.ts'
import type { Logger } from './platform/log.ts'
import { createLoops, type Loops } from './platform/reconcile/loops.ts'
import type { Ground } from './platform/service.ts'
import { listenBoth } from './platform/tls/both.ts'
import type { Certificate } from './platform/tls/certificates.ts'
import { createServices, listed, migrations, type Services } from './services/index.ts'

export interface ControlParts {
  config: Config
  cloudId: string
  database: Database
  bus: Bus
  blobs: BlobStore
  policyOverrides: Ground['policyOverrides']
  log: Logger
  clock: Clock
  /** Where some API speaks TLS. */
  certificate?: Certificate
  /** For tests: resolves when nothing is on the bus. */
  idle?: () => Promise<void>
}

/** Role `control`: every service's routes and loops. Keeps nothing in memory that a second copy would miss. */
export interface Control {
  readonly services: Services
  readonly hosts: Hosts
  readonly loops: Loops
  /** Brings order after a restart, opens the ports, starts the loops. @throws CloudError naming a port that is taken. */
  listen(): Promise<void>
  endpoints(): { service: string; url: string }[]
  /** Stops answering, then the loops, then the services, the highest first. Repeatable. */
  close(): Promise<void>
}

/** Migrates the database and makes the services; `listen` opens the doors. */
export async function createControl(parts: ControlParts): Promise<Control> {
  const { config, database, bus, log, clock } = parts
  await migrate(database, migrations)
  const loops = createLoops(log, clock, parts.idle)
  const hosts = createHosts(database, bus, clock, log, config.hostDownSeconds * 1000)
  const ground: Ground = { ...parts, nudge: (loop) => loops.nudge(loop) }
  const services = await createServices(ground, hosts)
  const all = listed(services)
  for (const service of all) for (const loop of service.loops) loops.add(loop)

  let local: Server | null = null
  const doors: { close(): void }[] = []
  return {
    services,
    hosts,
    loops,
    async listen() {
      for (const service of all) await service.start?.()
      for (const entry of catalog(config)) await services.identity.register(entry)
      await Promise.all(
        all.map(async ({ name, app }) => {
          if (!app) return
          const port = portOf(config, name)
          try {
            if (speaksTls(config, name)) {
              if (!parts.certificate) throw new CloudError('internal', 'TLS is wanted, but there is no certificate.')
              doors.push(await listenBoth(app, port, config.bind, parts.certificate))
            } else await app.listen({ port, host: config.bind })
            const beside = name === 'registry' ? loopbackBeside(config) : null
            if (beside) local = await listenBeside(app, port, beside)
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
            const hint = 'stop what holds it, or move every port with --port-base N'
            throw new CloudError('unavailable', `Port ${port} (${name}) is taken: ${hint}`, { cause: error })
          }
        }),
      )
      loops.start()
    },
    endpoints: () => all.filter(({ app }) => app).map(({ name }) => ({ service: name, url: urlOf(config, name) })),
    async close() {
      for (const door of doors) door.close()
      local?.closeAllConnections()
      local?.close()
      await Promise.all(all.map(({ app }) => app?.close()))
      await loops.stop()
      for (const service of all.toReversed()) await service.stop?.()
      hosts.close()
    },
  }
}

/** A second door to the same application. */
async function listenBeside(app: App, port: number, host: string): Promise<Server> {
  const server = createServer((request, response) => app.routing(request, response)).listen(port, host)
  await once(server, 'listening')
  return server
}

/** What the catalog says of us. Sources: each API's reference, "Endpoint"; the service types authority. */
const catalog = (config: Config) => [
  { type: 'identity', name: 'keystone', url: `${urlOf(config, 'identity')}/v3` },
  { type: 'image', name: 'glance', url: urlOf(config, 'image') },
  { type: 'network', name: 'neutron', url: urlOf(config, 'network') },
  { type: 'placement', name: 'placement', url: urlOf(config, 'placement') },
  { type: 'compute', name: 'nova', url: `${urlOf(config, 'compute')}/v2.1` },
]
