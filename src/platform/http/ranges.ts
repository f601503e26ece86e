/** Byte offsets, `end` exclusive. */
export interface ByteRange {
  start: number
  end: number
}

/**
 * What a `Range` header asks of something of `size` bytes: `null` for all of it (no header, another unit, several
 * ranges or one that is malformed: all of which may be ignored), `unsatisfiable` where the answer is 416.
 * Source: RFC 9110, section 14.
 */
export function rangeOf(header: string | undefined, size: number): ByteRange | null | 'unsatisfiable' {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? '')
  if (!match) return null
  const [, from = '', to = ''] = match
  if (from === '' && to === '') return null
  if (from === '') {
    const last = Number(to)
    return last === 0 || size === 0 ? 'unsatisfiable' : { start: Math.max(0, size - last), end: size }
  }
  const start = Number(from)
  if (to !== '' && Number(to) < start) return null
  return start >= size ? 'unsatisfiable' : { start, end: to === '' ? size : Math.min(size, Number(to) + 1) }
}

/** The header of a 206. */
export const contentRange = ({ start, end }: ByteRange, size: number): string => `bytes ${start}-${end - 1}/${size}`
