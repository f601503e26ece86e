import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { messageOf } from '../errors.ts'
import type { Logger } from '../log.ts'

export interface NatsMessage {
  subject: string
  reply: string | null
  payload: string
  /** The server says that nobody listens to what was asked. */
  noResponders: boolean
}

/** A connection to a NATS server that comes back by itself. What is published while it is away is lost. */
export interface NatsConnection {
  /** Resolves when the server has taken us in. @throws Error when it refuses who we are */
  readonly ready: Promise<void>
  publish(subject: string, payload: string, reply?: string): void
  subscribe(subject: string, heard: (message: NatsMessage) => void): () => void
  /** A name of our own under which answers come: `inbox.1`, `inbox.2` … */
  readonly inbox: string
  close(): Promise<void>
}

const pingEveryMs = 10_000
const silenceMs = 25_000
const pausesMs = [50, 250, 1000, 2000]
const crlf = Buffer.from('\r\n')

/**
 * Speaks the client's side of the protocol, as far as a bus needs it. `url`: `nats://user:password@host:4222`.
 * Source: NATS documentation, "Client Protocol".
 */
export function openNats(url: string, name: string, log: Logger): NatsConnection {
  const { hostname, port, username, password } = new URL(url)
  const subscriptions = new Map<number, { subject: string; heard: (message: NatsMessage) => void }>()
  let socket: Socket | null = null
  /** The server has been told who we are and what we listen to: what is added from then on is told as it comes. */
  let told = false
  let taken = false
  let closed = false
  let failures = 0
  let nextSid = 1
  let heardAtMs = performance.now()
  let retry: NodeJS.Timeout | null = null
  const { promise: ready, resolve: becomeReady, reject: refuse } = Promise.withResolvers<void>()
  ready.catch(() => {}) // whoever waits for it hears

  const send = (text: string): void => {
    socket?.write(text)
  }

  function dial(): void {
    let pending: Buffer = Buffer.alloc(0)
    const mine = connect({ host: hostname, port: Number(port || 4222), noDelay: true })
    socket = mine
    heardAtMs = performance.now()
    mine.on('data', (chunk: Buffer) => {
      heardAtMs = performance.now()
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
      try {
        pending = consume(pending)
      } catch (error) {
        mine.destroy(error instanceof Error ? error : new Error(messageOf(error)))
      }
    })
    mine.on('error', (error) => log.debug({ err: error }, 'the bus connection broke'))
    mine.on('close', () => {
      if (socket !== mine) return
      if (taken) log.warn('the bus is away')
      told = false
      taken = false
      socket = null
      if (closed) return
      retry = setTimeout(dial, pausesMs[Math.min(failures++, pausesMs.length - 1)])
    })
  }

  /** Takes whole messages off the front; returns what is left. */
  function consume(data: Buffer): Buffer {
    let rest = data
    for (;;) {
      const end = rest.indexOf(crlf)
      if (end < 0) return rest
      const line = rest.toString('utf8', 0, end)
      const [verb = '', ...words] = line.split(/\s+/)
      const kind = verb.toUpperCase()
      if (kind === 'MSG' || kind === 'HMSG') {
        const bytes = Number(words.at(-1))
        const start = end + 2
        if (rest.length < start + bytes + 2) return rest
        const headBytes = kind === 'HMSG' ? Number(words.at(-2)) : 0
        const head = rest.toString('utf8', start, start + headBytes)
        const payload = rest.toString('utf8', start + headBytes, start + bytes)
        const named = words.length - (kind === 'HMSG' ? 2 : 1)
        const message = { subject: words[0]!, reply: named > 2 ? words[2]! : null, payload }
        rest = rest.subarray(start + bytes + 2)
        subscriptions.get(Number(words[1]))?.heard({ ...message, noResponders: /^NATS\/1\.0 503/.test(head) })
        continue
      }
      rest = rest.subarray(end + 2)
      if (kind === 'INFO') greet()
      else if (kind === 'PING') send('PONG\r\n')
      else if (kind === 'PONG') accepted()
      else if (kind === '-ERR') complain(line)
    }
  }

  function greet(): void {
    if (told) return
    told = true
    const who = { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
    const options = { verbose: false, pedantic: false, protocol: 1, headers: true, no_responders: true, echo: true }
    send(`CONNECT ${JSON.stringify({ ...options, ...who, name, lang: 'node', version: '1' })}\r\n`)
    for (const [sid, { subject }] of subscriptions) send(`SUB ${subject} ${sid}\r\n`)
    send('PING\r\n')
  }

  function accepted(): void {
    if (taken) return
    taken = true
    failures = 0
    log.debug('the bus is there')
    becomeReady()
  }

  function complain(line: string): void {
    log.warn({ said: line }, 'the bus refuses')
    if (/authorization|authentication/i.test(line)) refuse(new Error(`the bus does not take us in: ${line}`))
  }

  const beat = setInterval(() => {
    if (performance.now() - heardAtMs > silenceMs) socket?.destroy()
    else if (taken) send('PING\r\n')
  }, pingEveryMs)
  beat.unref()
  dial()

  return {
    ready,
    inbox: `_INBOX.${randomBytes(16).toString('hex')}`,
    publish(subject, payload, reply) {
      if (!taken) return
      send(`PUB ${subject} ${reply ? `${reply} ` : ''}${Buffer.byteLength(payload)}\r\n${payload}\r\n`)
    },
    subscribe(subject, heard) {
      const sid = nextSid++
      subscriptions.set(sid, { subject, heard })
      if (told) send(`SUB ${subject} ${sid}\r\n`)
      return () => {
        subscriptions.delete(sid)
        if (told) send(`UNSUB ${sid}\r\n`)
      }
    },
    async close() {
      closed = true
      clearInterval(beat)
      if (retry) clearTimeout(retry)
      const mine = socket
      if (!mine || mine.destroyed) return
      await new Promise<void>((resolve) => {
        mine.once('close', () => resolve())
        mine.end()
        setTimeout(() => mine.destroy(), 500).unref()
      })
    },
  }
}
