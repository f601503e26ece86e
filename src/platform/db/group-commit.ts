import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { CloudError } from '../errors.ts'

/** What the group commit needs of its engine. */
export interface Engine {
  /** Takes the write lock; false when another process has it just now. */
  begin(): boolean
  commit(): void
  rollback(): void
  /** False once the engine has rolled the whole batch back by itself (full disk, I/O error). */
  inTransaction(): boolean
  /** Runs one job so that its failure leaves the others' work standing. */
  isolated<T>(work: () => Promise<T>): Promise<T>
  /** Makes all that is committed survive power loss, off the event loop. */
  sync(): Promise<void>
}

interface Job {
  work: () => Promise<unknown>
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}
interface Outcome {
  job: Job
  settle: () => void
}

export interface GroupCommit {
  write<T>(work: () => Promise<T>): Promise<T>
  /** Waits for what is under way and refuses the rest. */
  close(): Promise<void>
}

/** A batch ends after this long, so that a flood of writes does not hold up readers and the first of them. */
const batchMs = 5
const lockTimeoutMs = 30_000

/**
 * Puts concurrent writes into one transaction and one sync. Jobs run one after the other, each undone alone when it
 * fails; nobody is answered, with success or failure, before everything it may have seen is durable. While a sync is
 * under way the next batch runs and waits for the next sync: the write-ahead log only grows at its end, so a later
 * sync covers earlier commits too.
 */
export function createGroupCommit(engine: Engine): GroupCommit {
  const queue: Job[] = []
  let unsynced: Outcome[] = []
  let draining: Promise<void> | null = null
  let syncing: Promise<void> | null = null
  let broken: CloudError | null = null
  let closed = false

  async function lock(): Promise<void> {
    const giveUp = performance.now() + lockTimeoutMs
    // The engine's own busy timeout would sleep on the event loop.
    for (let waitMs = 1; !engine.begin(); waitMs = Math.min(waitMs * 2, 50)) {
      if (performance.now() > giveUp) throw new CloudError('unavailable', 'Another process keeps the database locked')
      await sleep(waitMs)
    }
  }

  /** Runs `next()` until it gives no more. @throws when the batch as a whole was lost. */
  async function attempt(next: () => Job | undefined, taken: Job[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    await lock()
    try {
      for (let job = next(); job; job = next()) {
        const current = job
        taken.push(current)
        try {
          const value = await engine.isolated(current.work)
          outcomes.push({ job: current, settle: () => current.resolve(value) })
        } catch (error) {
          if (!engine.inTransaction()) throw error
          outcomes.push({ job: current, settle: () => current.reject(error) })
        }
      }
      engine.commit()
      return outcomes
    } catch (error) {
      if (engine.inTransaction()) engine.rollback()
      throw error
    }
  }

  async function batch(): Promise<void> {
    const endAt = performance.now() + batchMs
    const taken: Job[] = []
    try {
      committed(
        await attempt(() => (performance.now() < endAt || taken.length === 0 ? queue.shift() : undefined), taken),
      )
    } catch (error) {
      if (taken.length === 0) queue.shift()?.reject(error)
      else if (taken.length === 1) taken[0]?.reject(error)
      // Which of several jobs broke the batch is not known: each gets its own, and only the culprit fails.
      else for (const job of taken) await alone(job)
    }
  }

  async function alone(job: Job): Promise<void> {
    const jobs = [job]
    await attempt(() => jobs.shift(), []).then(committed, job.reject)
  }

  function committed(outcomes: Outcome[]): void {
    unsynced.push(...outcomes)
    syncing ??= syncAll().finally(() => {
      syncing = null
    })
  }

  async function syncAll(): Promise<void> {
    while (unsynced.length > 0) {
      const covered = unsynced
      unsynced = []
      try {
        if (broken) throw broken
        await engine.sync()
        for (const { settle } of covered) settle()
      } catch (cause) {
        // After a failed sync the kernel may have dropped the pages: no later sync can be believed. Only a restart,
        // which reads back what is really there, mends that.
        broken ??= new CloudError('unavailable', 'The database could not be synced to disk; restart Berth', { cause })
        for (const { job } of covered) job.reject(broken)
      }
    }
  }

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      await batch()
      await nextTurn()
    }
  }

  return {
    write<T>(work: () => Promise<T>): Promise<T> {
      if (broken) return Promise.reject(broken)
      if (closed) return Promise.reject(new CloudError('unavailable', 'The database is closed'))
      return new Promise<T>((resolve, reject) => {
        queue.push({ work, resolve: resolve as (value: unknown) => void, reject })
        draining ??= drain().finally(() => {
          draining = null
        })
      })
    },
    async close() {
      closed = true
      await draining
      await syncing
    },
  }
}
