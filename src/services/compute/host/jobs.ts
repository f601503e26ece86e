import type { Bus } from '../../../platform/bus/bus.ts'
import { systemClock } from '../../../platform/clock.ts'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import type { Logger } from '../../../platform/log.ts'
import { type HostInventory, type ServerOrder, type ServerReport, subjects } from '../messages.ts'
import { absent, type Change, type Glimpse, type Plug, type Seen, type ServerDriver, StepFailed } from './driver.ts'
import type { LaneWork } from './lanes.ts'
import type { ServerFiles } from './server-files.ts'

export interface JobsDeps {
  host: string
  bus: Bus
  driver: ServerDriver
  plug: Plug
  log: Logger
  files: ServerFiles
}

/** Looked at at once for an inventory; each costs the engine a few milliseconds. */
const looksAtOnce = 4
/** Servers remembered as removed, so that what comes up late of them is swept away. */
const rememberedRemovals = 10_000

/** What is done for one server, and what the machine last showed of all. */
export class Jobs implements LaneWork {
  private readonly deps: JobsDeps
  private readonly known = new Map<string, Seen>()
  /** What was seen before this moment may have changed unnoticed. Compared with the engine's time, so no test's clock. */
  private trustedFromMs = 0
  /** Server id → generation of the order that removed it. */
  private readonly removed = new Map<string, number>()
  constructor(deps: JobsDeps) {
    this.deps = deps
  }

  runningServers(): number {
    let count = 0
    for (const { seen } of this.known.values()) if (seen === 'running') count += 1
    return count
  }

  /** The newest order carried out or tried, for all that is remembered. */
  newestGeneration(serverId: string): number {
    return this.deps.files.get(serverId)?.generation ?? this.removed.get(serverId) ?? 0
  }

  /** The events broke off: the next inventory looks at every server anew. */
  distrust(): void {
    this.trustedFromMs = systemClock.nowMs()
  }

  /**
   * Whether a change may be later than the last look at its server. What happened before the engine answered (again) is
   * the machine's doing and part of the next inventory: an engine that comes back tells of every server it has ended.
   */
  isNews(change: Change & { kind: 'server' }): boolean {
    if (change.atMs < this.trustedFromMs) return false
    const known = this.known.get(change.serverId)
    return known ? change.atMs >= known.asOfMs : !this.removed.has(change.serverId)
  }

  async carryOut(order: ServerOrder, signal: AbortSignal): Promise<void> {
    const { driver, plug, files, log } = this.deps
    const { serverId, generation, wish } = order
    try {
      const rebootFrom = await this.rebootFrom(order, signal)
      const seen = await driver.ensure(order, { rebootFrom, plug }, signal)
      if (wish === 'absent') {
        this.remember(serverId, generation)
        await files.remove(serverId)
      } else {
        this.removed.delete(serverId)
        await files.set(serverId, { generation, bootEpoch: order.bootEpoch, reboot: null })
      }
      this.note(seen)
      this.report(seen, generation, null)
      if (wish !== 'absent') faultPoint('compute.create.reported')
    } catch (thrown) {
      if (signal.aborted) return // a newer order is next, or the role ends
      log.warn({ err: thrown, serverId, generation, wish }, 'an order failed')
      await this.failed(order, thrown, signal)
    }
  }

  /** Reports what the machine shows, when nobody ordered it. */
  async look(serverId: string, signal: AbortSignal): Promise<void> {
    try {
      const before = this.known.get(serverId)
      const seen = await this.deps.driver.find(serverId, signal)
      this.note(seen)
      if (seen.seen === 'absent' && this.removed.has(serverId)) return // as ordered, and reported
      // What came and went without being told of, as a create that failed, is no news either.
      const news = before ? !same(before, seen) : seen.seen !== 'absent'
      if (news) this.report(seen, this.newestGeneration(serverId), null)
    } catch (thrown) {
      if (!signal.aborted) this.deps.log.warn({ err: thrown, serverId }, 'a server could not be looked at')
    }
  }

  /** Tells of every server on the machine, and sweeps away those that an order has removed. */
  async inventory(lanes: { busy(serverId: string): boolean }, signal: AbortSignal): Promise<void> {
    const { driver, host, bus } = this.deps
    const asOfMs = systemClock.nowMs()
    const found = await driver.list(signal)
    const present = new Set(found.map(({ serverId }) => serverId))
    for (const [serverId, { asOfMs: seenMs }] of [...this.known])
      if (!present.has(serverId) && seenMs < asOfMs && !lanes.busy(serverId)) this.known.delete(serverId)
    const worker = async () => {
      for (let next = found.pop(); next; next = found.pop()) await this.take(next, lanes, signal)
    }
    await Promise.all(Array.from({ length: looksAtOnce }, worker))
    // All that is known by now, so that what was made or removed while this was at work is right too.
    const servers = [...this.known.values()].map((seen) =>
      this.reportOf(seen, this.newestGeneration(seen.serverId), null),
    )
    const inventory: HostInventory = { host, servers }
    bus.publish(subjects.inventory, inventory)
  }

  private async take(glimpse: Glimpse, lanes: { busy(serverId: string): boolean }, signal: AbortSignal): Promise<void> {
    const { serverId, containerId, seen } = glimpse
    if (this.removed.has(serverId)) {
      if (!lanes.busy(serverId)) await this.sweep(serverId, signal)
      return
    }
    const known = this.known.get(serverId)
    const trusted = known && known.asOfMs >= this.trustedFromMs
    if (trusted && known.containerId === containerId && known.seen === seen) return
    const fresh = await this.deps.driver.find(serverId, signal)
    if (this.removed.has(serverId)) return
    this.note(fresh)
    // Seen here before its event was: still the server's own doing, so it is reported as that.
    if (trusted && !lanes.busy(serverId)) this.report(fresh, this.newestGeneration(serverId), null)
  }

  /** When the process to be ended started, if the order asks for a restart not made yet. */
  private async rebootFrom(order: ServerOrder, signal: AbortSignal): Promise<string | null> {
    const { driver, files } = this.deps
    const { serverId, generation, bootEpoch, wish } = order
    const kept = files.get(serverId)
    if (!kept || wish === 'absent') return null
    if (wish !== 'running' || bootEpoch <= kept.bootEpoch) return null
    if (kept.reboot?.epoch === bootEpoch) return kept.reboot.from
    const { seen, startedAt } = await driver.find(serverId, signal)
    const from = seen === 'running' || seen === 'paused' ? startedAt : null
    // Written before it is begun: after a crash half way the next try can tell whether it was made.
    await files.set(serverId, { ...kept, generation, reboot: { epoch: bootEpoch, from } })
    return from
  }

  private async failed(order: ServerOrder, thrown: unknown, signal: AbortSignal): Promise<void> {
    const { driver, files, log } = this.deps
    const { serverId, generation, wish } = order
    const kept = files.get(serverId) ?? { bootEpoch: order.bootEpoch, reboot: null }
    await files.set(serverId, { ...kept, generation }).catch((error) => log.error({ err: error }, 'no file'))
    const seen = await driver.find(serverId, signal).then(
      (found) => {
        this.note(found)
        return found
      },
      () => this.known.get(serverId) ?? absent(serverId, systemClock.nowMs()),
    )
    this.report(seen, generation, {
      step: thrown instanceof StepFailed ? thrown.step : `compute.${wish === 'absent' ? 'delete' : 'create'}.begun`,
      message: messageOf(thrown),
      temporary: thrown instanceof CloudError && thrown.kind === 'unavailable',
    })
  }

  private async sweep(serverId: string, signal: AbortSignal): Promise<void> {
    const { driver, plug, log } = this.deps
    const generation = this.removed.get(serverId) ?? 0
    log.warn({ serverId }, 'a removed server was still there')
    await driver.ensure(removal(serverId, generation), { rebootFrom: null, plug }, signal)
  }

  private note(seen: Seen): void {
    if (seen.seen === 'absent') this.known.delete(seen.serverId)
    else this.known.set(seen.serverId, seen)
  }

  private remember(serverId: string, generation: number): void {
    this.removed.set(serverId, generation)
    const [oldest] = this.removed.keys()
    if (this.removed.size > rememberedRemovals && oldest !== undefined) this.removed.delete(oldest)
  }

  private report(seen: Seen, generation: number, error: ServerReport['error']): void {
    this.deps.bus.publish(subjects.report, this.reportOf(seen, generation, error))
  }

  private reportOf({ asOfMs: _, ...seen }: Seen, generation: number, error: ServerReport['error']): ServerReport {
    return { host: this.deps.host, ...seen, generation, error }
  }
}

const same = (a: Seen, b: Seen): boolean => JSON.stringify({ ...a, asOfMs: 0 }) === JSON.stringify({ ...b, asOfMs: 0 })

/** An order that says no more than that a server must not be. */
const removal = (serverId: string, generation: number): ServerOrder => ({
  serverId,
  generation,
  wish: 'absent',
  bootEpoch: 0,
  bootKind: 'hard',
  buildEpoch: 0,
  name: '',
  hostname: '',
  projectId: '',
  userId: '',
  image: { imageId: '', reference: '', configDigest: '', pullToken: '' },
  rescue: null,
  command: null,
  environment: {},
  vcpus: 0,
  memoryMiB: 0,
  swapMiB: 0,
  diskGiB: 0,
  dockerSpecs: {},
  ports: [],
})
