import type { Readable } from 'node:stream'

/**
 * The text of a log stream, at most its last `maxBytes`. A terminal's log is raw; otherwise each write stands in a frame:
 * one byte for the stream, three of nothing, the length in four (big-endian), the bytes.
 * Source: Docker Engine API reference, "Attach to a container", stream format.
 */
export async function logText(body: Readable, tty: boolean, maxBytes: number): Promise<string> {
  const tail = new Tail(maxBytes)
  if (tty) for await (const chunk of body as AsyncIterable<Buffer>) tail.push(chunk)
  else for await (const chunk of unframed(body)) tail.push(chunk)
  return tail.text().replaceAll('\r\n', '\n') // the terminal's line ends are no part of what was said
}

async function* unframed(body: Readable): AsyncGenerator<Buffer> {
  let header = Buffer.alloc(0)
  let left = 0
  for await (let chunk of body as AsyncIterable<Buffer>) {
    while (chunk.length > 0) {
      if (left > 0) {
        yield chunk.subarray(0, left)
        const taken = Math.min(left, chunk.length)
        left -= taken
        chunk = chunk.subarray(taken)
        continue
      }
      const missing = 8 - header.length
      header = Buffer.concat([header, chunk.subarray(0, missing)])
      chunk = chunk.subarray(missing)
      if (header.length < 8) break
      left = header.readUInt32BE(4)
      header = Buffer.alloc(0)
    }
  }
}

/** Keeps the last bytes of what passes. */
class Tail {
  readonly maxBytes: number
  private chunks: Buffer[] = []
  private bytes = 0
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }
  push(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.bytes += chunk.length
    while (this.chunks.length > 1 && this.bytes - this.chunks[0]!.length >= this.maxBytes)
      this.bytes -= this.chunks.shift()!.length
  }
  text(): string {
    return Buffer.concat(this.chunks).subarray(-this.maxBytes).toString('utf8')
  }
}
