import type { Clock } from '../clock.ts'

/** Counts failures per key within a sliding window. In memory: each process allows its own share. */
export interface FailureLimit {
  /** Seconds until `key` may try again; 0 when it may now. */
  retryAfterSeconds(key: string): number
  fail(key: string): void
  /** After a success. */
  forget(key: string): void
}

/** `limit` failures in `windowMs` close the door until the oldest of them is that long ago. */
export function createFailureLimit(clock: Clock, limit: number, windowMs: number, maxKeys = 50_000): FailureLimit {
  const failures = new Map<string, number[]>()
  const recent = (key: string) => (failures.get(key) ?? []).filter((at) => at > clock.nowMs() - windowMs)
  return {
    retryAfterSeconds(key) {
      const times = recent(key)
      return times.length < limit ? 0 : Math.ceil((times.at(-limit)! + windowMs - clock.nowMs()) / 1000)
    },
    fail(key) {
      const times = [...recent(key), clock.nowMs()].slice(-limit)
      failures.delete(key) // to the end of the line: the key that failed longest ago goes first
      failures.set(key, times)
      if (failures.size > maxKeys) failures.delete(failures.keys().next().value!)
    },
    forget: (key) => void failures.delete(key),
  }
}
