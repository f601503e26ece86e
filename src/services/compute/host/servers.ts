import { join } from 'node:path'
import type { Bus } from '../../../platform/bus/bus.ts'
import type { Clock } from '../../../platform/clock.ts'
import { type Heartbeat, heartbeatSubject } from '../../../platform/hosts/messages.ts'
import type { Logger } from '../../../platform/log.ts'
import {
  type ConsoleRequest,
  type DiagnosticsRequest,
  type PasswordRequest,
  type ServerOrder,
  type SnapshotOrder,
  subjects,
  type TerminalDoor,
  type TerminalRequest,
  type TerminalSizeRequest,
} from '../messages.ts'
import type { EngineFacts, Plug, ServerDriver } from './driver.ts'
import { computeFacts } from './facts.ts'
import { Jobs } from './jobs.ts'
import { Lanes } from './lanes.ts'
import { Repeating } from './repeating.ts'
import { ServerFiles } from './server-files.ts'
import { SnapshotJobs } from './snapshot-jobs.ts'
import { Terminals } from './terminals.ts'

export interface ComputeHostDeps {
  host: string
  cloudId: string
  /** null for a simulated host, which forgets everything with its servers. */
  stateDir: string | null
  bus: Bus
  driver: ServerDriver
  plug: Plug
  log: Logger
  clock: Clock
  /** Where the control side reaches this host's terminals; this machine alone unless told otherwise. */
  terminalAddress?: string
  /** Orders carried out at once. */
  concurrency?: number
}

export interface ComputeHost {
  /** Resolves with the first inventory: from then on orders are carried out and changes are told. Rejects when stopped before. */
  readonly ready: Promise<void>
  /** Ends the role; servers go on running. */
  stop(): Promise<void>
}

const heartbeatMs = 10_000
const inventoryMs = 60_000
/** A snapshot given up this long ago is not asked for again. */
const leftoverMs = 30 * 60_000

/** The compute role: carries out orders and tells what the machine shows, by itself and when asked. */
export function startComputeHost(deps: ComputeHostDeps): ComputeHost {
  const { host, bus, driver, log, clock } = deps
  const stopping = new AbortController()
  const { signal } = stopping
  const started = clock.now()
  const ready = Promise.withResolvers<void>()
  ready.promise.catch(() => {}) // whoever does not wait for it must not die of it
  let engineFacts: EngineFacts | null = null
  let finish = async () => {}

  const heartbeat = (jobs: Jobs) => async () => {
    // An engine that does not answer is a host that cannot serve: its silence is the news.
    await driver.ping(signal)
    engineFacts ??= await driver.facts(signal)
    const facts = computeFacts(engineFacts, jobs.runningServers())
    const beat: Heartbeat = { host, role: 'compute', startedAt: started, facts: { ...facts } }
    bus.publish(heartbeatSubject, beat)
  }

  async function run(): Promise<void> {
    const files = await ServerFiles.open(deps.stateDir && join(deps.stateDir, 'host', 'servers'))
    const jobs = new Jobs({ ...deps, files })
    const lanes = new Lanes(jobs, deps.concurrency ?? 8)
    const snapshots = new SnapshotJobs(deps)
    const terminals = new Terminals({ driver, address: deps.terminalAddress ?? '127.0.0.1', log })
    const soon = () => AbortSignal.any([signal, AbortSignal.timeout(30_000)])
    const beating = new Repeating(heartbeatMs, heartbeat(jobs), (error) => log.warn({ err: error }, 'no heartbeat'))
    const minutely = new Repeating(
      inventoryMs,
      async () => {
        engineFacts = await driver.facts(signal)
        await jobs.inventory(lanes, signal)
        await driver.sweepSnapshots(snapshots.current(), leftoverMs, signal)
        ready.resolve()
      },
      (error) => log.warn({ err: error }, 'no inventory'),
    )
    const ends = [
      bus.subscribe<ServerOrder>(subjects.order(host), (order) => {
        const taken = lanes.order(order, jobs.newestGeneration(order.serverId))
        if (!taken) log.debug({ serverId: order.serverId, generation: order.generation }, 'order dropped')
      }),
      bus.subscribe<SnapshotOrder>(subjects.snapshot(host), (order) => snapshots.order(order)),
      bus.respond<ConsoleRequest, { output: string }>(subjects.console(host), async ({ serverId, lines }) => ({
        output: await driver.console(serverId, lines, AbortSignal.any([signal, AbortSignal.timeout(30_000)])),
      })),
      bus.respond<TerminalRequest, TerminalDoor>(subjects.terminal(host), ({ serverId }) =>
        terminals.door(serverId, soon()),
      ),
      bus.respond<TerminalSizeRequest, object>(subjects.terminalSize(host), async ({ serverId, columns, rows }) => {
        await driver.resizeTerminal(serverId, { columns, rows }, soon())
        return {}
      }),
      bus.respond<PasswordRequest, object>(subjects.password(host), async ({ serverId, password }) => {
        await driver.setPassword(serverId, password, AbortSignal.any([signal, AbortSignal.timeout(30_000)]))
        return {}
      }),
      bus.respond<DiagnosticsRequest, unknown>(subjects.diagnostics(host), ({ serverId }) =>
        driver.diagnostics(serverId, AbortSignal.any([signal, AbortSignal.timeout(30_000)])),
      ),
    ]
    const watching = watch(jobs, lanes, () => {
      jobs.distrust()
      beating.now()
      minutely.now()
    })
    beating.now()
    finish = async () => {
      for (const end of ends) end()
      terminals.stop()
      await Promise.all([beating.stop(), minutely.stop(), lanes.stop(), snapshots.stop(), watching])
    }
  }

  async function watch(jobs: Jobs, lanes: Lanes, resync: () => void): Promise<void> {
    const lost = (error: unknown) => {
      engineFacts = null
      log.warn({ err: error }, 'the events of the engine broke off')
    }
    for await (const change of driver.changes(signal, lost)) {
      if (change.kind === 'resync') resync()
      else if (jobs.isNews(change)) lanes.look(change.serverId)
    }
  }

  const running = run().catch((thrown) => {
    log.error({ err: thrown }, 'the compute role could not start')
    ready.reject(thrown)
  })
  return {
    ready: ready.promise,
    async stop() {
      await running
      stopping.abort()
      await finish()
      ready.reject(new Error('The compute role was stopped before it was ready.'))
    },
  }
}
