/** A stream of choices that a seed repeats. */
export interface Chance {
  /** In [0, 1). */
  next(): number
  /** An integer in [0, below). */
  below(below: number): number
  one<T>(from: readonly T[]): T
  /** True in that share of the calls. */
  sometimes(share: number): boolean
}

/** Mulberry32: four lines, 2³² seeds, far better than what choosing inputs needs. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (n: number) => Math.floor(next() * n)
  return { next, below, one: (from) => from[below(from.length)]!, sometimes: (share) => next() < share }
}
