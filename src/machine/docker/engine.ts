import type { Readable } from 'node:stream'
import { CloudError, messageOf } from '../../platform/errors.ts'
import { Pool } from '../../platform/http/client.ts'
import { errorOfAnswer, errorOfTransport } from './errors.ts'

/** The Engine API versions this client speaks. Source: Docker Engine API reference, "Versioning". */
export const oldestApi = '1.41'
export const newestApi = '1.51'

export interface CallOptions {
  query?: Readonly<Record<string, string | number | boolean | undefined>>
  /** Sent as JSON; a stream or bytes go as a tar archive. */
  body?: unknown
  headers?: Readonly<Record<string, string>>
  signal: AbortSignal
  /** Statuses that are no failure besides 2xx, such as 304 for a container that is started already. */
  accept?: readonly number[]
}

export interface Answer {
  status: number
  body: Readable & { text(): Promise<string>; json(): Promise<unknown>; dump(): Promise<void> }
}

/** A Docker Engine behind a unix socket. Cheap to make: nothing is sent before the first call. */
export interface Engine {
  readonly socketPath: string
  /** The API version agreed with the engine, asked once and again whenever the engine was away. */
  apiVersion(signal: AbortSignal): Promise<string>
  /** One call below `/v1.xx`; the caller must consume the body. @throws CloudError as `errors.ts` says. */
  call(method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD', path: string, options: CallOptions): Promise<Answer>
  /** As `call`, with the JSON answer. */
  json<T>(method: 'GET' | 'POST' | 'DELETE', path: string, options: CallOptions): Promise<T>
  /** As `call`, for answers without a body worth reading. Returns the status. */
  send(method: 'POST' | 'DELETE', path: string, options: CallOptions): Promise<number>
  /** As `call`, without a version in the path. */
  plain(method: 'GET', path: string, signal: AbortSignal): Promise<Answer>
  close(): Promise<void>
}

export function openEngine(socketPath: string): Engine {
  // No time limits here: pulls, waits and event streams last as long as they last, and every call has a signal.
  const pool = new Pool('http://docker', { socketPath, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 30_000 })
  let agreed: Promise<string> | null = null

  async function request(method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD', path: string, options: CallOptions) {
    const { signal, accept = [] } = options
    try {
      const answer = await pool.request({ method, path, signal, ...payload(options) })
      const status = answer.statusCode
      if (status < 300 || accept.includes(status)) return { status, body: answer.body }
      throw errorOfAnswer(status, await answer.body.text())
    } catch (thrown) {
      if (thrown instanceof CloudError) throw thrown
      signal.throwIfAborted()
      agreed = null // the engine that comes back may be another version
      throw errorOfTransport(thrown, socketPath)
    }
  }

  async function negotiate(signal: AbortSignal): Promise<string> {
    const { body } = await request('GET', '/version', { signal })
    return agree(await readingBody(() => body.json() as Promise<EngineVersion>, signal, socketPath), socketPath)
  }

  function apiVersion(signal: AbortSignal): Promise<string> {
    signal.throwIfAborted()
    // Shared by all who wait, so not cut short by the signal of whoever came first.
    agreed ??= negotiate(AbortSignal.timeout(30_000))
    const mine = agreed
    mine.catch(() => {
      if (agreed === mine) agreed = null
    })
    return mine
  }

  const call: Engine['call'] = async (method, path, options) => {
    const version = await apiVersion(options.signal)
    return request(method, `/v${version}${path}${queryText(options.query)}`, options)
  }
  return {
    socketPath,
    apiVersion,
    call,
    async json<T>(method: 'GET' | 'POST' | 'DELETE', path: string, options: CallOptions) {
      const { body } = await call(method, path, options)
      return readingBody(() => body.json() as Promise<T>, options.signal, socketPath)
    },
    async send(method, path, options) {
      const { status, body } = await call(method, path, options)
      await readingBody(() => body.dump(), options.signal, socketPath)
      return status
    },
    plain: (method, path, signal) => request(method, path, { signal }),
    close: () => pool.destroy(),
  }
}

/** A connection that breaks half way through an answer is the engine going away, as much as a refused one. */
export async function readingBody<T>(read: () => Promise<T>, signal: AbortSignal, socketPath: string): Promise<T> {
  try {
    return await read()
  } catch (thrown) {
    if (thrown instanceof CloudError) throw thrown
    signal.throwIfAborted()
    if (thrown instanceof SyntaxError)
      throw new CloudError('internal', `The Docker Engine at ${socketPath} sent no JSON: ${messageOf(thrown)}`)
    throw errorOfTransport(thrown, socketPath)
  }
}

export interface EngineVersion {
  Version: string
  ApiVersion: string
  MinAPIVersion?: string
}

/** The newest version both sides know. @throws CloudError when there is none, naming both. */
export function agree(engine: EngineVersion, socketPath: string): string {
  const { Version, ApiVersion, MinAPIVersion = '1.12' } = engine
  if (compareVersions(ApiVersion, oldestApi) < 0)
    throw new CloudError(
      'unavailable',
      `The Docker Engine at ${socketPath} is too old: version ${Version} speaks API ${ApiVersion}, needed is ${oldestApi} (Engine 20.10) or newer.`,
    )
  if (compareVersions(MinAPIVersion, newestApi) > 0)
    throw new CloudError(
      'unavailable',
      `The Docker Engine at ${socketPath} is too new: version ${Version} speaks API ${MinAPIVersion} and newer, known here is ${newestApi} and older.`,
    )
  return compareVersions(ApiVersion, newestApi) < 0 ? ApiVersion : newestApi
}

function compareVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number)
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number)
  return aMajor - bMajor || aMinor - bMinor
}

function queryText(query: CallOptions['query']): string {
  const pairs = Object.entries(query ?? {}).flatMap(([key, value]) => (value === undefined ? [] : [[key, `${value}`]]))
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`
}

function payload({ body, headers }: CallOptions) {
  if (body === undefined) return headers ? { headers } : {}
  if (body instanceof Uint8Array || (typeof body === 'object' && body !== null && 'pipe' in body))
    return { body: body as Readable | Uint8Array, headers: { 'content-type': 'application/x-tar', ...headers } }
  return { body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } }
}
