/** The one place that asks what time it is, so that tests can move it. Times travel as UTC ISO 8601 text. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number
  /** `2026-11-21T09:00:00.000000Z`: microseconds, as Keystone writes; the APIs cut it to their own precision. */
  now(): string
}

/** Milliseconds since 1970 → ISO 8601 with microseconds. */
export const isoOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, -1)}000Z`

/** ISO 8601 without a fraction, as Nova, Neutron and Glance write. */
export const seconds = (iso: string): string => `${iso.slice(0, 19)}Z`

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  now: () => isoOf(Date.now()),
}
