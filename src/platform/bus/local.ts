import { CloudError, messageOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Bus } from './bus.ts'

interface Subscription {
  readonly handler: (message: unknown, subject: string) => void | Promise<void>
}
type Responder = (message: unknown) => Promise<unknown>

const defaultTimeoutMs = 10_000

export interface LocalBus extends Bus {
  /** Resolves when nothing is on its way and no handler or responder is at work. For tests. */
  idle(): Promise<void>
}

/**
 * The bus inside one process. What arrives is a copy made by JSON, and arrives in a later turn of the event loop, in
 * order: nothing works here that would not work between machines.
 */
export function createLocalBus(log: Logger): LocalBus {
  /** By the subject itself, as thousands of hosts each listen to their own; those with a `*` are few and tried in turn. */
  const exact = new Map<string, Set<Subscription>>()
  const patterns = new Set<Subscription & { words: readonly string[] }>()
  const responders = new Map<string, Responder>()
  let mailbox: { subject: string; text: string }[] = []
  let closed = false
  let atWork = 0
  const waiting: (() => void)[] = []

  function deliver(): void {
    const due = mailbox
    mailbox = []
    atWork++
    for (const { subject, text } of due) {
      // Those subscribed at delivery, not at sending: nobody hears anything after unsubscribing.
      for (const subscription of exact.get(subject) ?? []) void hand(subscription, subject, text)
      if (patterns.size === 0) continue
      const words = subject.split('.')
      for (const subscription of patterns) {
        if (matches(subscription.words, words)) void hand(subscription, subject, text)
      }
    }
    workDone()
  }

  async function hand({ handler }: Subscription, subject: string, text: string): Promise<void> {
    atWork++
    try {
      await handler(JSON.parse(text), subject)
    } catch (error) {
      log.error({ err: error, subject }, 'a bus handler failed')
    }
    workDone()
  }

  function workDone(): void {
    if (--atWork > 0 || mailbox.length > 0) return
    for (const resolve of waiting.splice(0)) resolve()
  }

  return {
    publish(subject, message) {
      const text = encode(subject, message)
      if (closed) return
      if (mailbox.push({ subject, text }) === 1) setImmediate(deliver)
    },

    subscribe<T>(subject: string, handler: (message: T, subject: string) => void | Promise<void>) {
      const subscription = { words: subject.split('.'), handler: handler as Subscription['handler'] }
      if (subscription.words.includes('*')) {
        patterns.add(subscription)
        return () => void patterns.delete(subscription)
      }
      const listening = exact.get(subject) ?? new Set()
      exact.set(subject, listening.add(subscription))
      return () => {
        listening.delete(subscription)
        if (listening.size === 0 && exact.get(subject) === listening) exact.delete(subject)
      }
    },

    async request<T>(
      subject: string,
      message: unknown,
      options: { timeoutMs?: number; signal?: AbortSignal } = {},
    ): Promise<T> {
      const text = encode(subject, message)
      const { timeoutMs = defaultTimeoutMs, signal } = options
      signal?.throwIfAborted()
      // In a later turn, like every delivery; a responder that appears within it is found.
      await new Promise((resolve) => setImmediate(resolve))
      const responder = closed ? undefined : responders.get(subject)
      if (!responder) throw new CloudError('unavailable', `Nobody answers on ${subject}`)
      const late = new CloudError('unavailable', `No answer on ${subject} within ${timeoutMs} ms`)
      return await withDeadline(answer(responder, subject, text), timeoutMs, late, signal)
    },

    respond<Q, A>(subject: string, handler: (message: Q) => Promise<A>) {
      if (responders.has(subject)) throw new Error(`${subject} is answered already`)
      const responder: Responder = async (message) => handler(message as Q)
      responders.set(subject, responder)
      return () => {
        if (responders.get(subject) === responder) responders.delete(subject)
      }
    },

    idle() {
      if (atWork === 0 && mailbox.length === 0) return Promise.resolve()
      return new Promise((resolve) => waiting.push(resolve))
    },

    async close() {
      closed = true
      mailbox = []
      exact.clear()
      patterns.clear()
      responders.clear()
    },
  }

  /** The responder's answer as it would come over a wire: plain JSON, or an error reduced to kind, message and type. */
  async function answer<T>(responder: Responder, subject: string, text: string): Promise<T> {
    let value: unknown
    atWork++
    try {
      value = await responder(JSON.parse(text))
    } catch (error) {
      if (!(error instanceof CloudError)) {
        log.error({ err: error, subject }, 'a bus responder failed')
        throw new CloudError('internal', messageOf(error))
      }
      throw new CloudError(error.kind, error.message, error.type === undefined ? {} : { type: error.type })
    } finally {
      workDone()
    }
    return (value === undefined ? undefined : JSON.parse(encode(subject, value))) as T
  }
}

function encode(subject: string, message: unknown): string {
  if (/[*\s]|^$|^\.|\.\.|\.$/.test(subject)) throw new Error(`"${subject}" is no subject to send to`)
  const text = JSON.stringify(message) as string | undefined
  if (text === undefined) throw new Error(`A message on ${subject} cannot be written as JSON`)
  return text
}

/** `*` in a pattern stands for exactly one word. */
function matches(pattern: readonly string[], words: readonly string[]): boolean {
  return pattern.length === words.length && pattern.every((word, i) => word === '*' || word === words[i])
}

function withDeadline<T>(work: Promise<T>, ms: number, late: Error, signal: AbortSignal | undefined): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => finish(() => reject(signal?.reason))
    const timer = setTimeout(() => finish(() => reject(late)), ms)
    const finish = (settle: () => void) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      settle()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    work.then(
      (value) => finish(() => resolve(value)),
      (error: unknown) => finish(() => reject(error)),
    )
  })
}
