import { PassThrough, Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { pack } from 'tar-stream'
import { systemClock } from '../../../platform/clock.ts'
import { CloudError, NotFound } from '../../../platform/errors.ts'
import type { ServerOrder } from '../messages.ts'
import { dockerNetworks } from './container-spec.ts'
import { absent, type Change, type Plug, type Seen, type ServerDriver, StepFailed } from './driver.ts'
import { upload } from './upload.ts'

export interface FakeOptions {
  /** How long each order and snapshot takes. */
  latencyMs?: number
  /** Asked before each order: an error fails it at `compute.create.started`. */
  fail?: (order: ServerOrder) => CloudError | null
  vcpus?: number
  memoryMiB?: number
  diskGiB?: number
}

export interface FakeDriver extends ServerDriver {
  /** The first process ends by itself. */
  end(serverId: string, code: number): void
  /** As if somebody had removed the container by hand. */
  vanish(serverId: string): void
}

/** What stands for a container. */
type Held = Seen &
  Pick<ServerOrder, 'ports' | 'buildEpoch'> & {
    /** While a rescue stands in its place: the server's own container. */
    own: string | null
  }

/**
 * A simulated host: servers are entries of a map, nothing runs. For trying the control plane at a scale no machine here
 * has; its facts say `simulated`. Keeps the contract of `driver.ts`, which `driver-suite.ts` proves.
 */
export function fakeDriver(options: FakeOptions = {}): FakeDriver {
  const servers = new Map<string, Held>()
  const watchers = new Set<(change: Change) => void>()
  let containers = 0
  let lastStartMs = 0

  const now = () => systemClock.nowMs()
  const changed = (serverId: string) => {
    for (const tell of watchers) tell({ kind: 'server', serverId, atMs: now() })
  }
  const show = (serverId: string): Seen => {
    const found = servers.get(serverId)
    if (!found) return absent(serverId, now())
    const { ports: _, buildEpoch: __, own: ___, ...seen } = found
    return { ...seen, asOfMs: now() }
  }
  const put = (serverId: string, part: Partial<Held>) => {
    const before = servers.get(serverId) ?? { ...absent(serverId, 0), ports: [], buildEpoch: 0, own: null }
    servers.set(serverId, { ...before, ...part })
    changed(serverId)
  }
  const started = () => {
    lastStartMs = Math.max(lastStartMs + 1, now()) // no two alike, as an engine's nanoseconds are
    return { seen: 'running' as const, startedAt: new Date(lastStartMs).toISOString(), exit: null }
  }
  const ended = (code: number) => ({ seen: 'stopped' as const, exit: { code, outOfMemory: false, lastOutput: '' } })
  const newContainerId = () => (++containers).toString(16).padStart(64, '0')
  const present = (serverId: string): Seen => {
    const seen = show(serverId)
    if (seen.seen === 'absent') throw new NotFound('Instance', serverId)
    return seen
  }
  /** Puts another container into the server's place, or its own back. */
  const rescue = (order: ServerOrder) => {
    const held = servers.get(order.serverId)
    if (order.rescue && !held)
      throw new StepFailed('compute.rescue.mounted', new CloudError('conflict', 'There is nothing to be rescued.'))
    if (order.rescue && held?.own === null)
      put(order.serverId, { own: held.containerId, containerId: newContainerId(), ...started() })
    if (!order.rescue && held?.own) put(order.serverId, { containerId: held.own, own: null, ...ended(137) })
  }
  const work = async (signal: AbortSignal) => {
    signal.throwIfAborted()
    if (options.latencyMs) await delay(options.latencyMs, undefined, { signal })
  }

  return {
    async facts() {
      const { vcpus = 64, memoryMiB = 262_144, diskGiB = 4096 } = options
      const simulated = { engineVersion: 'simulated', engineApiVersion: 'simulated', storageDriver: 'simulated' }
      return {
        vcpus,
        memoryMiB,
        diskGiB,
        diskFreeGiB: diskGiB,
        ...simulated,
        userNamespaces: false,
        architecture: 'x86_64',
      }
    },
    async ping() {},
    async list() {
      return [...servers.values()].map(({ serverId, seen, containerId }) => ({ serverId, seen, containerId }))
    },
    find: async (serverId) => show(serverId),
    async ensure(order, { rebootFrom, plug }, signal) {
      const { serverId, wish } = order
      await work(signal)
      const failure = options.fail?.(order)
      if (failure) throw new StepFailed('compute.create.started', failure)
      if (wish === 'absent') {
        if (servers.delete(serverId)) changed(serverId)
        return absent(serverId, now())
      }
      const old = servers.get(serverId)
      const rebuilt = (old?.buildEpoch ?? 0) !== order.buildEpoch
      if (rebuilt) servers.delete(serverId)
      rescue(order)
      const before = servers.get(serverId)
      if (wish === 'stopped' && rebuilt) {
        const { buildEpoch, ports } = order
        put(serverId, { containerId: newContainerId(), buildEpoch, ports, ...started() })
        put(serverId, ended(137))
        return show(serverId)
      }
      const rewired = before && JSON.stringify(before.ports) !== JSON.stringify(order.ports)
      if (rewired) {
        await plugIn(order, plug, signal)
        put(serverId, { ports: order.ports })
      }
      if (wish === 'stopped') {
        if (before && before.seen !== 'stopped') put(serverId, ended(137))
        return show(serverId)
      }
      const reboot = before && before.seen !== 'stopped' && rebootFrom !== null && before.startedAt === rebootFrom
      if (!before || before.seen === 'stopped' || reboot) {
        await plugIn(order, plug, signal)
        put(serverId, {
          containerId: before?.containerId ?? newContainerId(),
          buildEpoch: order.buildEpoch,
          ports: order.ports,
          ...started(),
        })
      }
      if (show(serverId).seen !== wish) put(serverId, { seen: wish })
      return show(serverId)
    },
    async console(serverId) {
      present(serverId)
      return ''
    },
    async diagnostics(serverId) {
      const { seen, exit } = present(serverId)
      const nics = (servers.get(serverId)?.ports ?? []).map(({ macAddress }) => ({
        ...{ macAddress, rxBytes: 0, txBytes: 0, rxPackets: 0, txPackets: 0 },
      }))
      return { state: seen, cpuTimeNs: 0, memoryUsedMiB: 0, memoryMaximumMiB: 0, uptimeSeconds: 0, nics, exit }
    },
    async attach(serverId) {
      if (present(serverId).seen === 'stopped') throw new CloudError('conflict', 'The server does not run.')
      const terminal = new PassThrough() // says what is typed
      const off = () => {
        if (show(serverId).seen === 'absent' || show(serverId).seen === 'stopped') terminal.end()
      }
      watchers.add(off)
      terminal.on('close', () => watchers.delete(off))
      return terminal
    },
    async resizeTerminal(serverId) {
      present(serverId)
    },
    async setPassword(serverId) {
      if (present(serverId).seen !== 'running') throw new CloudError('conflict', 'The server does not run.')
    },
    async snapshot(order, said, signal) {
      present(order.serverId)
      await work(signal)
      said('committed')
      said('uploading')
      await upload(emptyImage, order, signal)
      said('done')
    },
    sweepSnapshots: async () => 0,
    async *changes(signal): AsyncGenerator<Change> {
      const waiting: Change[] = [{ kind: 'resync' }]
      let wake = Promise.withResolvers<void>()
      const tell = (change: Change) => {
        waiting.push(change)
        wake.resolve()
      }
      const stop = () => wake.resolve()
      watchers.add(tell)
      signal.addEventListener('abort', stop)
      try {
        while (!signal.aborted) {
          for (let next = waiting.shift(); next; next = waiting.shift()) yield next
          await wake.promise
          wake = Promise.withResolvers()
        }
      } finally {
        watchers.delete(tell)
        signal.removeEventListener('abort', stop)
      }
    },
    async close() {},
    end: (serverId, code) => put(serverId, ended(code)),
    vanish(serverId) {
      if (servers.delete(serverId)) changed(serverId)
    },
  }
}

async function plugIn({ ports }: ServerOrder, plug: Plug, signal: AbortSignal): Promise<void> {
  const ids = ports.map(({ portId }) => portId)
  const names = dockerNetworks(ports).map(({ name }) => name)
  await plug.ready(ids, names, signal).catch((thrown) => {
    signal.throwIfAborted()
    throw new StepFailed('compute.create.connected', thrown)
  })
}

/** What `docker save` writes of an image without layers. */
async function emptyImage(): Promise<Readable> {
  const config = { architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [] } }
  const archive = pack()
  archive.entry({ name: 'config.json' }, JSON.stringify(config))
  archive.entry({ name: 'manifest.json' }, JSON.stringify([{ Config: 'config.json', RepoTags: null, Layers: [] }]))
  archive.finalize()
  return Readable.from(archive)
}
