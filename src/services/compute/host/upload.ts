import type { Readable } from 'node:stream'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import { request } from '../../../platform/http/client.ts'
import type { SnapshotOrder } from '../messages.ts'

/**
 * Streams an archive to the Image service. Source: Image API v2, "Upload binary image data". An upload whose answer was
 * lost in a crash finds the image active already, and is done.
 */
export async function upload(open: () => Promise<Readable>, order: SnapshotOrder, signal: AbortSignal): Promise<void> {
  const body = await open()
  try {
    const answer = await request(order.uploadUrl, {
      method: 'PUT',
      headers: { 'x-auth-token': order.token, 'content-type': 'application/octet-stream' },
      body,
      signal,
      headersTimeout: 0, // the answer comes when the archive is indexed
      bodyTimeout: 0,
    })
    const text = await answer.body.text()
    if (answer.statusCode < 300) return
    if (answer.statusCode === 409 && (await isActive(order, signal))) return
    const kind = answer.statusCode === 413 ? 'tooLarge' : answer.statusCode >= 500 ? 'unavailable' : 'conflict'
    throw new CloudError(
      kind,
      `The Image service refused the snapshot with status ${answer.statusCode}: ${text.slice(0, 500)}`,
    )
  } catch (thrown) {
    if (thrown instanceof CloudError) throw thrown
    signal.throwIfAborted()
    throw new CloudError('unavailable', `The snapshot could not be uploaded: ${messageOf(thrown)}`, { cause: thrown })
  } finally {
    body.destroy()
  }
}

async function isActive({ uploadUrl, token }: SnapshotOrder, signal: AbortSignal): Promise<boolean> {
  const answer = await request(uploadUrl.replace(/\/file$/, ''), { headers: { 'x-auth-token': token }, signal })
  if (answer.statusCode !== 200) return false
  const image = (await answer.body.json()) as { status?: string }
  return image.status === 'active'
}
