import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { CloudError, messageOf, NotFound } from '../errors.ts'
import { newHexId } from '../ids.ts'
import type { Logger } from '../log.ts'
import type { BlobReader, BlobStore, PutOptions, Stored } from './blobs.ts'
import { feed } from './feed.ts'

/** What an object store of any kind must be able to do; every driver passes one suite (`objects.test.ts`). */
export interface ObjectDriver {
  /** `swift`, `s3` … */
  readonly type: string
  /** What may be shown of how it is set up. */
  readonly properties: Readonly<Record<string, string | number | boolean>>
  /** Makes what it needs (a container), and says what is wrong with its settings. Repeatable. */
  prepare(): Promise<void>
  /**
   * Writes an object of these parts, each of which may be asked for twice by nobody. It is there when this resolves, and never
   * before it is whole. Parts that fail leave nothing, or nothing that `list` does not clear away.
   */
  put(key: string, parts: AsyncIterable<Buffer>): Promise<void>
  /** `end` exclusive. @throws NotFound */
  read(key: string, range: { start: number; end: number }): Promise<Readable>
  /** @throws NotFound */
  size(key: string): Promise<number>
  /** Repeatable. */
  remove(key: string): Promise<void>
  /** Whole objects; what broken writes left a day ago is removed on the way. */
  list(): AsyncIterable<{ key: string; ageMs: number }>
}

const mebibyte = 1024 * 1024

/** Small at first, so that little memory is taken; larger later, so that a large object has few enough parts. */
export const partBytes = (index: number): number => (index < 100 ? 8 : index < 300 ? 32 : 64) * mebibyte

/** A refusal that will not change, unlike one of a server that is in trouble. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly status: number
  constructor(what: string, status: number, said: string) {
    super(`${what}: ${status}${said ? ` ${said.replace(/\s+/g, ' ').slice(0, 300)}` : ''}`)
    this.status = status
  }
  get isPassing(): boolean {
    return this.status >= 500 || this.status === 408 || this.status === 429
  }
}

const attempts = 4

/** Tries again what may be in passing: cut connections, timeouts, 5xx. */
export async function persistently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (thrown) {
      const isFinal = thrown instanceof CloudError || (thrown instanceof Refusal && !thrown.isPassing)
      if (isFinal || attempt === attempts) throw thrown
      await wait(50 * 3 ** attempt)
    }
  }
}

type ObjectBlobs = Pick<BlobStore, 'put' | 'open' | 'reader' | 'size' | 'remove' | 'list'>

/** A driver as a blob store: hashes on the way in, cuts into parts, and goes on where a read was cut off. */
export function objectBlobs(driver: ObjectDriver, log: Logger): ObjectBlobs {
  const trouble = (thrown: unknown): unknown => {
    if (thrown instanceof CloudError) return thrown
    log.error({ store: driver.type, reason: messageOf(thrown) }, 'the object store failed')
    return new CloudError('unavailable', 'The object store is not available.', { cause: thrown })
  }
  const read = async (key: string, range: { start: number; end: number }) =>
    range.end > range.start ? persistently(() => driver.read(key, range)) : Readable.from([])
  return {
    async put(source, options = {}) {
      const key = options.key ?? newHexId()
      const hashing = new Hashing(source, options)
      try {
        await driver.put(key, hashing.parts())
      } catch (thrown) {
        throw hashing.failure ?? trouble(thrown)
      }
      return hashing.stored(key)
    },
    async open(key, range) {
      try {
        const whole = range ?? { start: 0, end: await persistently(() => driver.size(key)) }
        const first = await read(key, whole)
        return Readable.from(
          resumed(first, whole, (rest) => read(key, rest)),
          { objectMode: false },
        )
      } catch (thrown) {
        throw trouble(thrown)
      }
    },
    async reader(key) {
      const size = await persistently(() => driver.size(key)).catch((thrown: unknown) => {
        throw trouble(thrown)
      })
      return blockReader(size, async (start, end) => Buffer.concat(await (await read(key, { start, end })).toArray()))
    },
    size: (key) =>
      persistently(() => driver.size(key)).catch((thrown: unknown) => {
        throw trouble(thrown)
      }),
    async remove(key) {
      await persistently(() => driver.remove(key)).catch((thrown: unknown) => {
        if (!(thrown instanceof NotFound)) throw trouble(thrown)
      })
    },
    list: () => driver.list(),
  }
}

async function* resumed(
  first: Readable,
  { start, end }: { start: number; end: number },
  read: (range: { start: number; end: number }) => Promise<Readable>,
): AsyncGenerator<Buffer> {
  let at = start
  let stream = first
  for (let cuts = 0; ; cuts++) {
    let cause: unknown = new Error('the object store sent less than it has')
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        at += chunk.length
        yield chunk
      }
    } catch (thrown) {
      cause = thrown
    }
    if (at >= end) return
    if (cuts === attempts) throw cause
    stream = await read({ start: at, end })
  }
}

/** Parsers jump from header to header: what lies together is fetched together. */
function blockReader(size: number, fetch: (start: number, end: number) => Promise<Buffer>): BlobReader {
  const block = mebibyte
  let held: { start: number; bytes: Buffer } = { start: 0, bytes: Buffer.alloc(0) }
  return {
    size,
    async read(offset, length) {
      const end = Math.min(size, offset + length)
      if (offset >= end) return Buffer.alloc(0)
      if (offset < held.start || end > held.start + held.bytes.length) {
        const start = offset
        held = { start, bytes: await fetch(start, Math.min(size, Math.max(end, start + block))) }
      }
      return held.bytes.subarray(offset - held.start, end - held.start)
    },
    close: async () => {},
  }
}

/** A source on its way into parts. */
class Hashing {
  /** Why the source failed, which is not the store's fault. */
  failure: unknown = null
  private readonly hashes: ReturnType<typeof createHash>[]
  private readonly chunks: AsyncGenerator<Buffer>
  private size = 0

  constructor(source: Readable, options: PutOptions) {
    this.chunks = feed(source, options)
    this.hashes = ['sha256', ...(options.sha256Only ? [] : ['md5', 'sha512'])].map((name) => createHash(name))
  }

  async *parts(): AsyncGenerator<Buffer> {
    let held: Buffer[] = []
    let bytes = 0
    let index = 0
    for (;;) {
      let next: IteratorResult<Buffer>
      try {
        next = await this.chunks.next()
      } catch (thrown) {
        this.failure = thrown
        throw thrown
      }
      if (next.done) break
      for (const hash of this.hashes) hash.update(next.value)
      this.size += next.value.length
      held.push(next.value)
      bytes += next.value.length
      for (let full = partBytes(index); bytes >= full; full = partBytes(index)) {
        const all = Buffer.concat(held)
        yield all.subarray(0, full)
        held = [all.subarray(full)]
        bytes -= full
        index++
      }
    }
    if (bytes > 0 || index === 0) yield Buffer.concat(held)
  }

  stored(key: string): Stored {
    const [sha256 = '', md5 = '', sha512 = ''] = this.hashes.map((hash) => hash.digest('hex'))
    return { key, size: this.size, sha256, md5, sha512 }
  }
}
