import { hash, randomBytes } from 'node:crypto'

/** Texts that were found good, remembered by 16 bytes each; the oldest half is forgotten when there are too many. */
export interface Verified {
  add(text: string): void
  has(text: string): boolean
}

const words = 4
const smallest = 1 << 12

/**
 * Remembers at least `most` texts in at most 64 bytes each. What is remembered is a part of a hash over a secret of
 * this process's own and the text, so that nobody can look for a text that passes for another.
 */
export function createVerified(most = 1 << 20): Verified {
  const secret = randomBytes(16).toString('base64')
  let young = newTable(smallest)
  let old: Table | null = null
  const sum = (text: string) => {
    const digest = hash('sha256', secret + text, 'buffer')
    // Zero marks a free place.
    return [
      digest.readUInt32LE(0) || 1,
      digest.readUInt32LE(4),
      digest.readUInt32LE(8),
      digest.readUInt32LE(12),
    ] as const
  }
  return {
    add(text) {
      const key = sum(text)
      if (young.has(key)) return
      if (young.count >= most) {
        old = young
        young = newTable(smallest)
      } else if (young.count >= young.places / 2) young = young.doubled()
      young.put(key)
    },
    has(text) {
      const key = sum(text)
      return young.has(key) || (old?.has(key) ?? false)
    },
  }
}

type Key = readonly [number, number, number, number]
type Table = ReturnType<typeof newTable>

/** Open addressing in one flat array: an object a text would be ten times as large. */
function newTable(places: number) {
  const slots = new Uint32Array(places * words)
  let count = 0
  const placeOf = (key: Key): number => {
    let at = (key[0] & (places - 1)) * words
    while (slots[at] !== 0) {
      if (slots[at] === key[0] && slots[at + 1] === key[1] && slots[at + 2] === key[2] && slots[at + 3] === key[3])
        break
      at = (at + words) % slots.length
    }
    return at
  }
  const table = {
    places,
    get count(): number {
      return count
    },
    has: (key: Key): boolean => slots[placeOf(key)] !== 0,
    put(key: Key): void {
      const at = placeOf(key)
      if (slots[at] === 0) count++
      slots.set(key, at)
    },
    doubled() {
      const bigger = newTable(places * 2)
      for (let at = 0; at < slots.length; at += words) {
        if (slots[at] !== 0) bigger.put([slots[at]!, slots[at + 1]!, slots[at + 2]!, slots[at + 3]!])
      }
      return bigger
    },
  }
  return table
}
