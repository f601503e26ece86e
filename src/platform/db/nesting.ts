import { AsyncLocalStorage } from 'node:async_hooks'

export interface Inside {
  open: boolean
  /** What it has to have to itself, should it start over: see `turns.ts`. */
  readonly turns: Set<string>
}

const inside = new AsyncLocalStorage<Inside>()

/** The write that the caller is in. */
export const insideStore = (): Inside | undefined => inside.getStore()

/** Fails at once where a `write` inside a `write` would wait for itself for ever. */
export function refuseNesting(): void {
  if (inside.getStore()?.open)
    throw new Error('Database.write inside Database.write: pass the transaction down instead')
}

/** Runs `work` marked as being inside a write, until it ends. */
export async function markInside<T>(work: () => Promise<T>, turns: Set<string> = new Set()): Promise<T> {
  const mark = { open: true, turns }
  try {
    return await inside.run(mark, work)
  } finally {
    mark.open = false
  }
}
