import type { ServerOrder } from '../messages.ts'
import { Slots } from './slots.ts'

/** What a server's lane does; never throws. */
export interface LaneWork {
  carryOut(order: ServerOrder, signal: AbortSignal): Promise<void>
  look(serverId: string, signal: AbortSignal): Promise<void>
}

interface Lane {
  serverId: string
  newest: number
  queued: boolean
  working: { order: ServerOrder | null; abort: AbortController } | null
  next: ServerOrder | null
  look: boolean
}

/**
 * One job at a time for each server, so many for all. The newest order wins: one that wants something else cuts the job in
 * work short, an older or repeated one is dropped.
 */
export class Lanes {
  private readonly lanes = new Map<string, Lane>()
  private readonly running = new Set<Promise<void>>()
  private readonly work: LaneWork
  private readonly slots: Slots
  private stopped = false
  constructor(work: LaneWork, atOnce: number) {
    this.work = work
    this.slots = new Slots(atOnce)
  }

  /** Returns false for an order that is dropped. `newest`: the newest generation known from before this process. */
  order(order: ServerOrder, newest: number): boolean {
    const lane = this.lane(order.serverId)
    lane.newest = Math.max(lane.newest, newest)
    if (this.stopped || order.generation < lane.newest) return false
    const working = lane.working?.order
    if ((lane.next ?? working)?.generation === order.generation) return false
    lane.newest = order.generation
    lane.next = order
    if (working && working.wish !== order.wish) lane.working?.abort.abort()
    this.begin(lane)
    return true
  }

  /** Looks at a server in its turn; once for any number of wishes to look. */
  look(serverId: string): void {
    const lane = this.lane(serverId)
    if (this.stopped) return
    lane.look = true
    this.begin(lane)
  }

  busy(serverId: string): boolean {
    return this.lanes.has(serverId)
  }

  /** Cuts short what is in work and waits for its end. */
  async stop(): Promise<void> {
    this.stopped = true
    for (const { working } of this.lanes.values()) working?.abort.abort()
    await Promise.all(this.running)
  }

  private lane(serverId: string): Lane {
    const found = this.lanes.get(serverId)
    if (found) return found
    const lane: Lane = { serverId, newest: 0, queued: false, working: null, next: null, look: false }
    this.lanes.set(serverId, lane)
    return lane
  }

  private begin(lane: Lane): void {
    if (lane.queued || lane.working) return
    lane.queued = true
    const done = this.slots.run(() => this.turn(lane)).finally(() => this.running.delete(done))
    this.running.add(done)
  }

  private async turn(lane: Lane): Promise<void> {
    const order = lane.next
    const abort = new AbortController()
    lane.queued = false
    lane.next = null
    lane.look = false // an order's report says it all
    lane.working = { order, abort }
    if (!this.stopped)
      await (order ? this.work.carryOut(order, abort.signal) : this.work.look(lane.serverId, abort.signal))
    lane.working = null
    if (this.stopped || !(lane.next || lane.look)) this.lanes.delete(lane.serverId)
    else this.begin(lane)
  }
}
