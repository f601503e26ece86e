import { CloudError, type Kind, messageOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Bus } from './bus.ts'
import { type NatsMessage, openNats } from './nats-connection.ts'

/** Who we are on the bus: control speaks to all hosts, a host only for itself. */
export type NatsRole = 'control' | { host: string }

export interface NatsBus extends Bus {
  readonly ready: Promise<void>
}

const defaultTimeoutMs = 10_000

/** A host's name as one word of a subject: dots part words, and `*` and `>` stand for some. */
export const wordOf = (host: string): string => encodeURIComponent(host).replaceAll('.', '%2E').replaceAll('*', '%2A')

/** What a host may do on the server: hear its own orders, answer them, and say what `from.<host>` says. */
export const permissionsOf = (host: string) => ({
  publish: [`from.${wordOf(host)}.>`],
  subscribe: [`host.${wordOf(host)}.>`],
  allow_responses: true,
})

/**
 * The bus over a NATS server. A host's reports go out on subjects of its own (`from.<host>.control…`), which nobody else
 * may use: control hears only those whose content names the same host. So a host that is taken over can lie about
 * itself, and about nothing else.
 */
export function natsBus(url: string, role: NatsRole, log: Logger): NatsBus {
  const connection = openNats(url, role === 'control' ? 'control' : role.host, log)
  const waiting = new Map<string, (message: NatsMessage) => void>()
  let asked = 0
  if (role === 'control')
    connection.subscribe(`${connection.inbox}.*`, (message) => waiting.get(message.subject)?.(message))

  /** Where a message to `subject` goes on the wire. */
  function outward(subject: string, message: unknown): string {
    if (subject.startsWith('control.')) {
      const host = role === 'control' ? (message as { host?: string } | null)?.host : role.host
      return `from.${wordOf(host ?? 'control')}.${subject}`
    }
    return hostSubject(subject)
  }

  async function hand(
    handler: (message: never, subject: string) => void | Promise<void>,
    subject: string,
    { payload, subject: wire }: NatsMessage,
  ): Promise<void> {
    try {
      const message: unknown = JSON.parse(payload)
      const claimed = (message as { host?: unknown } | null)?.host
      if (wire.startsWith('from.') && typeof claimed === 'string' && wire.split('.')[1] !== wordOf(claimed)) {
        log.warn({ subject: wire, claimed }, 'a host speaks for another; it is not heard')
        return
      }
      await handler(message as never, subject)
    } catch (error) {
      log.error({ err: error, subject }, 'a bus handler failed')
    }
  }

  return {
    ready: connection.ready,
    publish(subject, message) {
      connection.publish(outward(subject, message), encode(subject, message))
    },
    subscribe(subject, handler) {
      const wire = subject.startsWith('control.') ? `from.*.${subject}` : hostSubject(subject)
      return connection.subscribe(wire, (message) => void hand(handler, subject, message))
    },
    async request<T>(subject: string, message: unknown, options: { timeoutMs?: number; signal?: AbortSignal } = {}) {
      const { timeoutMs = defaultTimeoutMs, signal } = options
      signal?.throwIfAborted()
      const text = encode(subject, message)
      const reply = `${connection.inbox}.${++asked}`
      const { promise, resolve, reject } = Promise.withResolvers<NatsMessage>()
      const onAbort = () => reject(signal?.reason)
      const late = new CloudError('unavailable', `No answer on ${subject} within ${timeoutMs} ms`)
      const timer = setTimeout(() => reject(late), timeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      waiting.set(reply, resolve)
      try {
        connection.publish(hostSubject(subject), text, reply)
        const answer = await promise
        if (answer.noResponders) throw new CloudError('unavailable', `Nobody answers on ${subject}`)
        return read<T>(answer.payload)
      } finally {
        waiting.delete(reply)
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
    },
    respond<Q, A>(subject: string, handler: (message: Q) => Promise<A>) {
      return connection.subscribe(hostSubject(subject), ({ payload, reply }) => {
        if (reply === null) return
        void answer(handler, payload, subject).then((text) => connection.publish(reply, text))
      })
    },
    close: () => connection.close(),
  }

  async function answer<Q, A>(handler: (message: Q) => Promise<A>, payload: string, subject: string): Promise<string> {
    try {
      return JSON.stringify({ value: await handler(JSON.parse(payload) as Q) })
    } catch (error) {
      if (!(error instanceof CloudError)) log.error({ err: error, subject }, 'a bus responder failed')
      const kind: Kind = error instanceof CloudError ? error.kind : 'internal'
      const type = error instanceof CloudError ? error.type : undefined
      return JSON.stringify({ error: { kind, message: messageOf(error), type } })
    }
  }
}

interface Refused {
  kind: Kind
  message: string
  type?: string
}

function read<T>(payload: string): T {
  const { value, error } = JSON.parse(payload) as { value?: T; error?: Refused }
  if (error) throw new CloudError(error.kind, error.message, error.type === undefined ? {} : { type: error.type })
  return value as T
}

/** `host.<name>.<service>.<noun>`: the name may have dots of its own. */
function hostSubject(subject: string): string {
  const words = subject.split('.')
  if (words[0] !== 'host' || words.length < 4) return subject
  const name = words.slice(1, -2).join('.')
  return ['host', name === '*' ? name : wordOf(name), ...words.slice(-2)].join('.')
}

function encode(subject: string, message: unknown): string {
  if (/[*>\s]|^$|^\.|\.\.|\.$/.test(subject)) throw new Error(`"${subject}" is no subject to send to`)
  const text = JSON.stringify(message) as string | undefined
  if (text === undefined) throw new Error(`A message on ${subject} cannot be written as JSON`)
  return text
}
