import pg from 'pg'
import { insideStore } from './nesting.ts'

/**
 * Says that this transaction is about to change what others of the same key change too (a project's sums). It waits for
 * nothing now; but should it have to start over, it takes its turn before it begins, when its view of the database is
 * yet to be taken. So it starts over once, not until it is lucky.
 */
export function wantTurn(key: string): void {
  insideStore()?.turns.add(key)
}

/** The turn that a failed transaction found taken. */
export function turnTaken(error: unknown): string | null {
  const detail = error instanceof pg.DatabaseError ? error.detail : undefined
  return detail?.startsWith('turn ') ? detail.slice('turn '.length) : null
}

/** Lets the holders of a key through one after the other, within this process. */
export function createTurns(): <T>(keys: readonly string[], work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<void>>()
  async function one<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = last.get(key)
    const done = Promise.withResolvers<void>()
    last.set(key, done.promise)
    await before
    try {
      return await work()
    } finally {
      if (last.get(key) === done.promise) last.delete(key)
      done.resolve()
    }
  }
  // In one order, or two that want the same two would wait for each other.
  return (keys, work) =>
    [...keys].sort().reduceRight<() => ReturnType<typeof work>>((inner, key) => () => one(key, inner), work)()
}
