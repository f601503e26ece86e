import { AsyncLocalStorage } from 'node:async_hooks'

const inside = new AsyncLocalStorage<{ open: boolean }>()

/** Fails at once where a `write` inside a `write` would wait for itself for ever. */
export function refuseNesting(): void {
  if (inside.getStore()?.open)
    throw new Error('Database.write inside Database.write: pass the transaction down instead')
}

/** Runs `work` marked as being inside a write, until it ends. */
export async function markInside<T>(work: () => Promise<T>): Promise<T> {
  const mark = { open: true }
  try {
    return await inside.run(mark, work)
  } finally {
    mark.open = false
  }
}
