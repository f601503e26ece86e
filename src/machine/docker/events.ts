import { setTimeout as delay } from 'node:timers/promises'
import type { Engine } from './engine.ts'
import { jsonLines } from './lines.ts'

/** Source: Docker Engine API reference, "Monitor events". */
export interface EngineEvent {
  Type: string
  Action: string
  Actor: { ID: string; Attributes: Readonly<Record<string, string>> }
  timeNano: number
}

/** `connected` comes first, and again after each break: what happened meanwhile may be lost, so look at everything. */
export type EventOrBreak = { kind: 'connected' } | { kind: 'event'; event: EngineEvent }

/**
 * The engine's events, for as long as `signal` allows: a lost connection is made again (after 0.1 s, doubling to 5 s),
 * from the last event seen. `onLost` hears why each time.
 */
export async function* events(
  engine: Engine,
  filters: Readonly<Record<string, readonly string[]>>,
  signal: AbortSignal,
  onLost: (error: unknown) => void,
): AsyncGenerator<EventOrBreak> {
  let lastNano: number | null = null
  let waitMs = 100
  while (!signal.aborted) {
    try {
      // Microseconds on: a double cannot tell nanoseconds of today apart, and an event told twice does no harm.
      const since = lastNano === null ? undefined : (lastNano / 1e9).toFixed(6)
      const query = { filters: JSON.stringify(filters), since }
      const { body } = await engine.call('GET', '/events', { query, signal })
      waitMs = 100
      yield { kind: 'connected' }
      for await (const event of jsonLines<EngineEvent>(body)) {
        lastNano = Math.max(lastNano ?? 0, event.timeNano)
        yield { kind: 'event', event }
      }
      onLost(new Error('The Docker Engine ended the stream of events.'))
    } catch (thrown) {
      if (signal.aborted) return
      onLost(thrown)
    }
    await delay(waitMs, undefined, { signal }).catch(() => {})
    waitMs = Math.min(waitMs * 2, 5000)
  }
}
