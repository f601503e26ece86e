import type { Readable } from 'node:stream'

/** A line longer than this is no progress report; the stream is given up rather than memory. */
const longestLine = 4 * 1024 * 1024

/** One JSON value a line, as the engine streams progress and events. */
export async function* jsonLines<T>(body: Readable): AsyncGenerator<T> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(chunk, { stream: true })
    let end = rest.indexOf('\n')
    while (end >= 0) {
      const line = rest.slice(0, end).trim()
      rest = rest.slice(end + 1)
      if (line) yield JSON.parse(line) as T
      end = rest.indexOf('\n')
    }
    if (rest.length > longestLine) throw new Error('The Docker Engine sent an endless line.')
  }
  if (rest.trim()) yield JSON.parse(rest) as T
}
