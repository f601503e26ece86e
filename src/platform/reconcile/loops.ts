import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { type Clock, isoOf } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { LoopStatus, Reconciler } from './reconciler.ts'

/** Runs the reconcilers of a process: each on its period and on a nudge, never twice at the same time. */
export interface Loops {
  /** Starts it too when the loops run already. */
  add(reconciler: Reconciler): void
  /** A hint that there is something to do. Any number of them during a round causes one more round. */
  nudge(name: string): void
  start(): void
  /** Aborts the signal of rounds under way and waits for them. */
  stop(): Promise<void>
  status(): LoopStatus[]
  /** For tests: runs every loop until a round of all of them finds nothing to do. @throws a round's error. */
  settle(): Promise<void>
}

/** Beyond this in `settle`, loops keep each other busy, or wait for something that never comes. */
const settleMs = 60_000

interface Loop {
  readonly reconciler: Reconciler
  readonly status: LoopStatus
  timer: NodeJS.Timeout | null
  running: Promise<void> | null
  again: boolean
  failure: unknown
}

/** `idle` resolves when nothing is on its way or being handled on the bus; `settle` waits for it between rounds. */
export function createLoops(log: Logger, clock: Clock, idle: () => Promise<void> = nextTurn): Loops {
  const loops = new Map<string, Loop>()
  let abort = new AbortController()
  let started = false

  async function round(loop: Loop): Promise<void> {
    const { reconciler, status } = loop
    const startMs = clock.nowMs()
    const began = performance.now()
    status.lastStart = isoOf(startMs)
    try {
      status.lastResult = await reconciler.run(abort.signal)
      if (status.lastError) log.info({ loop: reconciler.name }, 'loop works again')
      status.lastError = null
      loop.failure = null
    } catch (error) {
      if (abort.signal.aborted) return
      const message = messageOf(error)
      // Once per kind of failure, not once per round: the period goes on and would fill the log.
      if (message !== status.lastError) log.error({ err: error, loop: reconciler.name }, 'loop failed')
      status.lastError = message
      loop.failure = error
    } finally {
      status.rounds++
      status.lastMs = Math.round(performance.now() - began)
    }
  }

  function run(loop: Loop): Promise<void> {
    if (loop.running) {
      loop.again = true
      return loop.running
    }
    if (loop.timer) clearTimeout(loop.timer)
    loop.timer = null
    loop.running = rounds(loop).finally(() => {
      loop.running = null
      schedule(loop)
    })
    return loop.running
  }

  async function rounds(loop: Loop): Promise<void> {
    do {
      loop.again = false
      await round(loop)
    } while (loop.again && !abort.signal.aborted)
  }

  function schedule(loop: Loop): void {
    if (!started || loop.timer) return
    loop.timer = setTimeout(() => void run(loop), loop.reconciler.everySeconds * 1000)
  }

  return {
    add(reconciler) {
      if (loops.has(reconciler.name)) throw new Error(`Two loops are called ${reconciler.name}`)
      const status = { rounds: 0, lastStart: null, lastMs: null, lastError: null, lastResult: null }
      const loop = { reconciler, timer: null, running: null, again: false, failure: null }
      loops.set(reconciler.name, { ...loop, status: { name: reconciler.name, ...status } })
      if (started) this.nudge(reconciler.name)
    },

    nudge(name) {
      const loop = loops.get(name)
      // A loop of another process comes round by itself.
      if (!loop || !started) return
      if (loop.running) loop.again = true
      else void run(loop)
    },

    start() {
      if (started) return
      started = true
      abort = new AbortController()
      for (const loop of loops.values()) void run(loop)
    },

    async stop() {
      started = false
      abort.abort(new Error('the loops are stopping'))
      for (const loop of loops.values()) {
        if (loop.timer) clearTimeout(loop.timer)
        loop.timer = null
      }
      await Promise.all([...loops.values()].map((loop) => loop.running))
    },

    status: () => [...loops.values()].map(({ status }) => ({ ...status })),

    async settle() {
      if (!started && abort.signal.aborted) abort = new AbortController()
      const deadline = performance.now() + settleMs
      for (let pauseMs = 0; performance.now() < deadline; pauseMs = Math.min(pauseMs + 1, 50)) {
        for (const loop of loops.values()) await run(loop)
        await idle()
        const all = [...loops.values()]
        const failed = all.find((loop) => loop.failure !== null)
        if (failed) throw failed.failure
        if (all.every(({ running, status }) => !running && isZero(status.lastResult))) return
        // What is still behind waits for the machine: ask again soon, without keeping the machine from it.
        await sleep(pauseMs)
      }
      throw new Error(`Not settled within ${settleMs} ms: ${JSON.stringify(this.status())}`)
    },
  }
}

const isZero = (counts: Record<string, number> | null): boolean =>
  counts === null || Object.values(counts).every((n) => n === 0)
