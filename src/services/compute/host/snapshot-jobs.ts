import type { Bus } from '../../../platform/bus/bus.ts'
import { messageOf } from '../../../platform/errors.ts'
import type { Logger } from '../../../platform/log.ts'
import { type SnapshotOrder, type SnapshotReport, subjects } from '../messages.ts'
import type { ServerDriver } from './driver.ts'
import { Slots } from './slots.ts'

/** Commits and saves read whole disks: a few at a time. */
const atOnce = 2

/** Snapshots apart from the servers' other orders, for an upload may take long. */
export class SnapshotJobs {
  private readonly deps: { host: string; bus: Bus; driver: ServerDriver; log: Logger }
  private readonly slots = new Slots(atOnce)
  private readonly stopping = new AbortController()
  private readonly working = new Map<string, Promise<void>>()
  constructor(deps: { host: string; bus: Bus; driver: ServerDriver; log: Logger }) {
    this.deps = deps
  }

  /** One that is in work already is left to go on. */
  order(order: SnapshotOrder): void {
    if (this.working.has(order.snapshotId) || this.stopping.signal.aborted) return
    const done = this.slots.run(() => this.carryOut(order)).finally(() => this.working.delete(order.snapshotId))
    this.working.set(order.snapshotId, done)
  }

  current(): ReadonlySet<string> {
    return new Set(this.working.keys())
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await Promise.all(this.working.values())
  }

  private async carryOut(order: SnapshotOrder): Promise<void> {
    const { signal } = this.stopping
    if (signal.aborted) return
    const { host, bus, driver, log } = this.deps
    const say = (state: SnapshotReport['state'], message: string | null = null) => {
      const report: SnapshotReport = { host, snapshotId: order.snapshotId, state, message }
      bus.publish(subjects.snapshotReport, report)
    }
    try {
      await driver.snapshot(order, (state) => say(state), signal)
    } catch (thrown) {
      if (signal.aborted) return // asked for again after the next start
      log.warn({ err: thrown, snapshotId: order.snapshotId }, 'a snapshot failed')
      say('failed', messageOf(thrown))
    }
  }
}
