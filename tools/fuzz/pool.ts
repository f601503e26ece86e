import type { Chance } from './chance.ts'

/** What answers have named so far: ids by noun, so that later requests meet things that exist. */
export interface Pool {
  /** Reads an answer's JSON. */
  learn(json: unknown): void
  /** An id of that noun (`servers`, `server_id`, `serverRef`, `os-aggregates`); undefined when none is known. */
  id(noun: string): string | undefined
  /** A name or other short text that some answer had under that key. */
  text(key: string): string | undefined
}

const kept = 40

/** `os-floating_ips`, `floatingip_id`, `floatingIps` → one word. */
const wordOf = (noun: string): string =>
  noun
    .replace(/^os-/, '')
    .replace(/(_id|Ref|_uuid|Id)$/, '')
    .replaceAll(/[-_]/g, '')
    .toLowerCase()
    .replace(/ies$/, 'y')
    .replace(/s$/, '')

export function newPool(chance: Chance): Pool {
  const ids = new Map<string, string[]>()
  const texts = new Map<string, string[]>()
  const add = (to: Map<string, string[]>, key: string, value: string) => {
    const known = to.get(key) ?? []
    to.set(key, known)
    if (known.includes(value)) return
    if (known.length < kept) known.push(value)
    else known[chance.below(kept)] = value // old and young things, deleted ones too
  }
  const read = (noun: string, value: unknown, depth: number): void => {
    if (depth > 6 || typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) {
      for (const each of value.slice(0, 20)) read(noun, each, depth + 1)
      return
    }
    for (const [key, each] of Object.entries(value)) {
      if (typeof each === 'string' && each.length < 300) {
        if (key === 'id' || key === 'uuid') add(ids, wordOf(noun), each)
        else if (/_id$/.test(key)) add(ids, wordOf(key), each)
        else add(texts, key, each)
      } else read(key, each, depth + 1)
    }
  }
  const from = (known: string[] | undefined) => (known ? chance.one(known) : undefined)
  return {
    learn: (json) => read('', json, 0),
    id: (noun) => from(ids.get(wordOf(noun))),
    text: (key) => from(texts.get(key)),
  }
}
