/** A loop from what is wanted to orders: on a period and on a nudge, with no input but the database. */
export interface Reconciler {
  /** `compute.servers`: service and noun; the name to nudge. */
  readonly name: string
  readonly everySeconds: number
  /** Compares wanted with seen and sends whole orders. No retries inside: the next round is the retry. */
  run(signal: AbortSignal): Promise<Record<string, number>>
}

/** What `berth status` shows of a loop. */
export interface LoopStatus {
  name: string
  rounds: number
  lastStart: string | null
  lastMs: number | null
  lastError: string | null
  lastResult: Record<string, number> | null
}
