import { bitsOf, type Cidr, contains, formatCidr, type IpVersion, overlap, parseCidr, type Range } from './addresses.ts'

/** Sets of prefixes, as subnet pools have them. */

/** The same addresses in as few prefixes as there can be, lowest first. */
export function compacted(prefixes: readonly string[]): string[] {
  const ranges = prefixes.map((prefix) => parseCidr(prefix)!).sort((a, b) => (a.first < b.first ? -1 : 1))
  const merged: Cidr[] = []
  for (const range of ranges) {
    const last = merged.at(-1)
    if (last && range.first <= last.last + 1n) merged[merged.length - 1] = { ...last, last: max(last.last, range.last) }
    else merged.push({ ...range })
  }
  return merged.flatMap((range) => cidrsOf(range.version, range)).map(formatCidr)
}

/** The addresses of `prefixes` that are not in `less`. */
export function without(prefixes: readonly string[], less: readonly string[]): string[] {
  const holes = less.map((prefix) => parseCidr(prefix)!)
  const left = prefixes.flatMap((prefix) => {
    const whole = parseCidr(prefix)!
    return gaps(whole, holes).flatMap((gap) => cidrsOf(whole.version, gap))
  })
  return compacted(left.map(formatCidr))
}

/** The stretches of `whole` that none of `holes` takes. */
function gaps(whole: Range, holes: readonly Range[]): Range[] {
  const found: Range[] = []
  let from = whole.first
  for (const hole of [...holes].sort((a, b) => (a.first < b.first ? -1 : 1))) {
    if (!overlap(hole, whole)) continue
    if (hole.first > from) found.push({ first: from, last: hole.first - 1n })
    from = max(from, hole.last + 1n)
  }
  if (from <= whole.last) found.push({ first: from, last: whole.last })
  return found
}

/** A stretch of addresses as prefixes: the biggest that begins where the last one ended, and so on. */
function cidrsOf(version: IpVersion, { first, last }: Range): Cidr[] {
  const bits = bitsOf(version)
  const found: Cidr[] = []
  for (let at = first; at <= last; ) {
    let size = 1n
    let prefix = bits
    while (prefix > 0 && at % (size * 2n) === 0n && at + size * 2n - 1n <= last) {
      size *= 2n
      prefix--
    }
    found.push({ version, prefix, first: at, last: at + size - 1n })
    at += size
  }
  return found
}

/** Whether every address of `inner` is in some of `outer`. */
export const covers = (outer: readonly string[], inner: string): boolean => {
  const { first, last } = parseCidr(inner)!
  return compacted(outer).some((prefix) => {
    const range = parseCidr(prefix)!
    return contains(range, first) && contains(range, last)
  })
}

export const anyOverlap = (a: readonly string[], b: readonly string[]): boolean =>
  a.some((one) => b.some((other) => overlapping(one, other)))

export function overlapping(a: string, b: string): boolean {
  const [one, other] = [parseCidr(a)!, parseCidr(b)!]
  return one.version === other.version && overlap(one, other)
}

/** The first free block of `length` among the prefixes; null when there is none. `taken` are subnets' CIDRs. */
export function firstFreeBlock(prefixes: readonly string[], taken: readonly string[], length: number): string | null {
  const holes = taken.map((cidr) => parseCidr(cidr)!)
  for (const prefix of compacted(prefixes)) {
    const whole = parseCidr(prefix)!
    const size = 1n << BigInt(bitsOf(whole.version) - length)
    for (const gap of gaps(whole, holes)) {
      const start = ((gap.first + size - 1n) / size) * size
      if (start + size - 1n > gap.last) continue
      return formatCidr({ version: whole.version, prefix: length, first: start, last: start + size - 1n })
    }
  }
  return null
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)
