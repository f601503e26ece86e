import type { Database, Db } from './database.ts'

/**
 * Answers that are kept until something they rest on has changed: by this process or another, it is seen at once. There
 * is no time in it, and no message that could come late.
 */
export interface Kept {
  /** What `load` gives; asked again after a change. What it throws is not kept, nor what has a key beyond 500 letters. */
  get<T>(key: string, load: (db: Db) => Promise<T>): Promise<T>
}

/**
 * `version` reads a number that changes in every transaction that changes what the answers rest on; it is read only when
 * the database says that something was committed at all. On an engine that cannot say so, nothing is kept.
 */
export function createKept(database: Database, version: (db: Db) => Promise<number>, most = 200_000): Kept {
  const answers = new Map<string, unknown>()
  let commits: number | null = null
  let at = -1
  /** Counts the changes seen, so that a load that ran across one is not kept. */
  let epoch = 0

  async function look(now: number | null): Promise<void> {
    if (now === commits) return
    const found = await version(database.read)
    commits = now // a commit since then shows as another number at the next look
    if (found === at) return
    at = found
    epoch++
    answers.clear()
  }

  return {
    async get<T>(key: string, load: (db: Db) => Promise<T>): Promise<T> {
      const now = database.commits()
      if (now === null || key.length > 500) return await load(database.read)
      if (now !== commits) await look(now)
      if (answers.has(key)) return answers.get(key) as T
      const before = epoch
      const answer = await load(database.read)
      await look(database.commits())
      if (epoch !== before) return answer
      answers.set(key, answer)
      if (answers.size > most) answers.delete(answers.keys().next().value!)
      return answer
    },
  }
}
