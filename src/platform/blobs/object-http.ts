import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { NotFound } from '../errors.ts'
import { Agent, request } from '../http/client.ts'
import { Refusal } from './objects.ts'

/** Apart from others: a slow object store must not take their connections. */
const dispatcher = new Agent({
  connections: 32,
  headersTimeout: 60_000,
  bodyTimeout: 60_000,
  connect: { timeout: 10_000 },
})

export interface ObjectAnswer {
  status: number
  headers: Readonly<Record<string, string>>
  body: Dispatcher.ResponseData['body']
}

type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'

/** @throws Refusal for an answer that is no 2xx */
export async function call(
  method: Method,
  url: string,
  options: { headers?: Record<string, string>; body?: Buffer | string | Readable } = {},
): Promise<ObjectAnswer> {
  const answer = await request(url, { method, dispatcher, ...options })
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(answer.headers)) headers[name] = String(value)
  if (answer.statusCode >= 200 && answer.statusCode < 300)
    return { status: answer.statusCode, headers, body: answer.body }
  const said = await answer.body.text().catch(() => '')
  throw new Refusal(`${method} ${new URL(url).pathname}`, answer.statusCode, said)
}

/** The same where nothing is to be read of the answer. */
export async function callEmpty(...args: Parameters<typeof call>): Promise<Omit<ObjectAnswer, 'body'>> {
  const { body, ...rest } = await call(...args)
  await body.dump()
  return rest
}

/** A 404 means that the object is not there. */
export async function orNotFound<T>(key: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    if (thrown instanceof Refusal && thrown.status === 404) throw new NotFound('Blob', key, { cause: thrown })
    throw thrown
  }
}

/** Reads parts one ahead, so that a driver knows the last one. */
export async function* withLast(parts: AsyncIterable<Buffer>): AsyncGenerator<{ part: Buffer; isLast: boolean }> {
  let held: Buffer | null = null
  for await (const part of parts) {
    if (held) yield { part: held, isLast: false }
    held = part
  }
  yield { part: held ?? Buffer.alloc(0), isLast: true }
}

export const agesMs = (text: string): number => Math.max(0, Date.now() - Date.parse(text))

export const staleMs = 24 * 3_600_000
