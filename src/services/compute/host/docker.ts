import { setMaxListeners } from 'node:events'
import { attach, resizeTerminal } from '../../../machine/docker/attach.ts'
import * as containers from '../../../machine/docker/containers.ts'
import { openEngine } from '../../../machine/docker/engine.ts'
import { events } from '../../../machine/docker/events.ts'
import * as system from '../../../machine/docker/system.ts'
import { systemClock } from '../../../platform/clock.ts'
import { CloudError, NotFound } from '../../../platform/errors.ts'
import { ConfigDrives } from './config-drives.ts'
import { cloudLabel, type EngineLimits, serverLabel } from './container-spec.ts'
import { diagnosticsOf } from './diagnostics.ts'
import { diskQuota, diskSpace } from './disk.ts'
import { absent, type Change, type Glimpse, type ServerDriver } from './driver.ts'
import { ensureServer } from './ensure.ts'
import { Images } from './images.ts'
import { setPassword } from './password.ts'
import { rescueName } from './rescue.ts'
import { findCurrent, type Ours, seenOf, seenStateOf } from './seen.ts'
import { Snapshots } from './snapshots.ts'

export interface DockerDriverOptions {
  socketPath: string
  /** Marks everything made here; nothing without the mark is ever touched. */
  cloudId: string
  /** Where servers' config drives are kept. */
  configDrives: string
}

/** Servers as containers of the Docker Engine on this machine. */
export function dockerDriver({ socketPath, cloudId, ...options }: DockerDriverOptions): ServerDriver {
  const engine = openEngine(socketPath)
  const images = new Images(engine)
  const snapshots = new Snapshots(engine, cloudId)
  const configDrives = new ConfigDrives(options.configDrives)
  const mine = `${cloudLabel}=${cloudId}`
  let limits: EngineLimits | null = null

  async function readLimits(signal: AbortSignal): Promise<{ info: system.Info; limits: EngineLimits }> {
    const info = await system.info(engine, signal)
    limits = { cpus: info.NCPU, diskQuota: await diskQuota(info) }
    return { info, limits }
  }

  async function inspectOurs(serverId: string, signal: AbortSignal): Promise<Ours> {
    const found = await findCurrent(engine, cloudId, serverId, signal)
    if (!found) throw new NotFound('Instance', serverId)
    return found
  }

  return {
    async facts(signal) {
      const { info } = await readLimits(signal)
      return {
        vcpus: info.NCPU,
        memoryMiB: Math.floor(info.MemTotal / 1024 ** 2),
        ...(await diskSpace(info.DockerRootDir)),
        engineVersion: info.ServerVersion,
        engineApiVersion: await engine.apiVersion(signal),
        storageDriver: info.Driver,
        architecture: info.Architecture,
        userNamespaces: info.SecurityOptions?.some((option) => option.startsWith('name=userns')) ?? false,
      }
    },
    ping: (signal) => system.ping(engine, signal),
    async list(signal) {
      const found = await containers.list(engine, [mine], signal)
      const servers = new Map<string, Glimpse>()
      for (const { Id, Names, State, Labels } of found) {
        const serverId = Labels[serverLabel]
        if (!serverId) continue
        const stands = !servers.has(serverId) || Names.includes(`/${rescueName(serverId)}`)
        if (stands) servers.set(serverId, { serverId, containerId: Id, seen: seenStateOf(State) })
      }
      return [...servers.values()]
    },
    async find(serverId, signal) {
      const asOfMs = systemClock.nowMs()
      const found = await findCurrent(engine, cloudId, serverId, signal)
      return found ? seenOf(engine, serverId, found, signal) : absent(serverId, asOfMs)
    },
    async ensure(order, options, signal) {
      setMaxListeners(0, signal) // many short calls share it
      const known = limits ?? (await readLimits(signal)).limits
      return ensureServer({ engine, images, cloudId, limits: known, configDrives }, order, options, signal)
    },
    async console(serverId, lines, signal) {
      const { Id, Config } = (await inspectOurs(serverId, signal)).container
      return containers.logs(engine, Id, { tty: Config.Tty, lines, maxBytes: 4 * 1024 ** 2, signal })
    },
    async diagnostics(serverId, signal) {
      const found = await inspectOurs(serverId, signal)
      return diagnosticsOf(engine, found.container, await seenOf(engine, serverId, found, signal), signal)
    },
    async attach(serverId, signal) {
      return attach(engine, runningOf((await inspectOurs(serverId, signal)).container), signal)
    },
    async resizeTerminal(serverId, size, signal) {
      await resizeTerminal(engine, runningOf((await inspectOurs(serverId, signal)).container), size, signal)
    },
    async setPassword(serverId, password, signal) {
      await setPassword(engine, (await inspectOurs(serverId, signal)).container, password, signal)
    },
    async snapshot(order, said, signal) {
      await snapshots.carryOut(
        order,
        async () => (await inspectOurs(order.serverId, signal)).container.Id,
        said,
        signal,
      )
    },
    sweepSnapshots: (current, olderThanMs, signal) => snapshots.sweep(current, olderThanMs, signal),
    async *changes(signal, onLost): AsyncGenerator<Change> {
      const filters = { type: ['container'], label: [mine], event: ['start', 'die', 'pause', 'unpause', 'destroy'] }
      for await (const item of events(engine, filters, signal, onLost)) {
        if (item.kind === 'connected') {
          yield { kind: 'resync' }
          continue
        }
        const serverId = item.event.Actor.Attributes[serverLabel]
        if (serverId) yield { kind: 'server', serverId, atMs: item.event.timeNano / 1e6 }
      }
    },
    close: () => engine.close(),
  }
}

/** @throws CloudError `conflict`: attaching to one that has ended would wait for its next start */
function runningOf({ Id, State }: containers.Container): string {
  if (!State.Running) throw new CloudError('conflict', 'The server does not run.')
  return Id
}
