import type { Readable } from 'node:stream'
import { CloudError } from '../errors.ts'
import type { PutOptions } from './blobs.ts'

/**
 * What comes of a source, as far as `options` let it. A refused stream is left to its owner, who may still want to answer on the same
 * connection. @throws CloudError `tooLarge` or `unavailable`, or what the source fails with
 */
export function feed(source: Readable, options: PutOptions): AsyncGenerator<Buffer> {
  // A source may fail before it is read from: whoever reads it hears of that then.
  source.on('error', ignore)
  options.signal?.throwIfAborted()
  return pieces(source, options)
}

const ignore = () => {}

async function* pieces(
  source: Readable,
  { maxBytes = Number.POSITIVE_INFINITY, idleMs, signal }: PutOptions,
): AsyncGenerator<Buffer> {
  let size = 0
  const stop = () => source.destroy(new CloudError('unavailable', 'The upload was aborted.'))
  const giveUp = () => source.destroy(new CloudError('unavailable', `Nothing came for ${(idleMs ?? 0) / 1000} s.`))
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop, { once: true })
  const idle = idleMs === undefined ? undefined : setTimeout(giveUp, idleMs)
  try {
    for await (const chunk of source.iterator({ destroyOnReturn: false })) {
      const bytes: Buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      size += bytes.length
      if (size > maxBytes) throw new CloudError('tooLarge', `The data is larger than the ${maxBytes} bytes allowed.`)
      yield bytes
      idle?.refresh()
    }
  } finally {
    clearTimeout(idle)
    signal?.removeEventListener('abort', stop)
    source.off('error', ignore)
  }
}
