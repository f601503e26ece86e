import type { Context } from '../../../platform/auth/context.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { messageOf } from '../../../platform/errors.ts'
import { request } from '../../../platform/http/client.ts'
import { newId } from '../../../platform/ids.ts'
import * as events from '../db/events.ts'
import type { Deps } from './deps.ts'

/** What happened, in the words of the envelope. */
export interface Happened {
  action: 'push' | 'delete'
  /** As clients name it. */
  repository: string
  digest: string | null
  mediaType: string | null
  size: number | null
  tag: string | null
}

/** Where an event came from, as far as the request tells. */
export interface Origin {
  ctx: Context
  address: string
  host: string
  method: string
  userAgent: string
}

/**
 * Writes an event down in the transaction that makes it true, so that it is told if and only if it happened.
 * Source: distribution, "Work with notifications", "Events".
 */
export async function note(deps: Deps, trx: Trx, origin: Origin, what: Happened): Promise<void> {
  if (deps.notify.length === 0) return
  const { ctx, address, host, method, userAgent } = origin
  const id = newId()
  const target = {
    ...(what.mediaType === null ? {} : { mediaType: what.mediaType }),
    ...(what.digest === null ? {} : { digest: what.digest }),
    ...(what.size === null ? {} : { size: what.size, length: what.size }),
    repository: what.repository,
    ...(what.digest === null ? {} : { url: `${deps.url}/v2/${what.repository}/manifests/${what.digest}` }),
    ...(what.tag === null ? {} : { tag: what.tag }),
  }
  const content = JSON.stringify({
    ...{ id, timestamp: deps.clock.now(), action: what.action, target },
    request: { id: ctx.requestId, addr: address, host, method, useragent: userAgent },
    actor: { name: ctx.userName },
    source: { addr: host, instanceID: deps.uploader },
  })
  await events.insert(trx, deps.notify.map(keyOf), { id, content }, deps.clock.nowMs())
}

/** Without a name and password in it: rows are no place for those. */
function keyOf(endpoint: string): string {
  const url = new URL(endpoint)
  url.username = ''
  url.password = ''
  return url.href
}

const atOnce = 50
const keptMs = 3 * 24 * 3_600_000
const answerMs = 10_000

/**
 * Tells every endpoint what it has not taken yet, in order; one that refuses is asked again later and later, up to ten minutes, for
 * three days. An event may be told twice, never not at all. Endpoints do not wait for each other.
 */
export async function deliver(deps: Deps, signal: AbortSignal): Promise<Record<string, number>> {
  const { database, clock, notify } = deps
  const told = await Promise.all(notify.map((endpoint) => deliverTo(deps, endpoint, signal)))
  const forgotten = await database.write((trx) => events.forget(trx, notify.map(keyOf), clock.nowMs() - keptMs))
  const sum = (key: 'delivered' | 'refused') => told.reduce((total, one) => total + one[key], 0)
  return { delivered: sum('delivered'), refused: sum('refused'), forgotten }
}

async function deliverTo(
  { database, clock, log }: Deps,
  endpoint: string,
  signal: AbortSignal,
): Promise<{ delivered: number; refused: number }> {
  const key = keyOf(endpoint)
  let delivered = 0
  while (!signal.aborted) {
    const batch = await events.waiting(database.read, key, atOnce)
    const [first] = batch
    if (!first || first.nextMs > clock.nowMs()) break
    const ids = batch.map(({ id }) => id)
    try {
      await send(endpoint, `{"events":[${batch.map(({ content }) => content).join(',')}]}`, signal)
      await database.write((trx) => events.taken(trx, key, ids))
      delivered += ids.length
    } catch (thrown) {
      signal.throwIfAborted()
      const waitMs = Math.min(600_000, 2000 * 2 ** Math.min(first.attempts, 12))
      await database.write((trx) => events.refused(trx, key, ids, clock.nowMs() + waitMs))
      log.warn({ endpoint: key, reason: messageOf(thrown), events: ids.length }, 'a notification was not taken')
      return { delivered, refused: ids.length }
    }
  }
  return { delivered, refused: 0 }
}

async function send(endpoint: string, body: string, signal: AbortSignal): Promise<void> {
  const { username, password } = new URL(endpoint)
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  const answer = await request(keyOf(endpoint), {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/vnd.docker.distribution.events.v1+json',
      ...(username ? { authorization: `Basic ${basic}` } : {}),
    },
    signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
  })
  await answer.body.dump()
  if (answer.statusCode < 200 || answer.statusCode > 399) throw new Error(`it answers ${answer.statusCode}`)
}
