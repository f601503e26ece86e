import type { Agent as AgentType, Dispatcher, Pool as PoolType } from 'undici'
import calls from 'undici/lib/api/index.js'
import AgentOfUndici from 'undici/lib/dispatcher/agent.js'
import DispatcherOfUndici from 'undici/lib/dispatcher/dispatcher.js'
import PoolOfUndici from 'undici/lib/dispatcher/pool.js'

// The whole package would bring fetch, WebSocket, a cookie jar, a cache and mocks: 7 MiB resident that nobody here uses.
// Its own index puts the calls on the dispatchers in just this way.
Object.assign(DispatcherOfUndici.prototype, calls)

/** Connections to one origin, or to one unix socket. */
export const Pool: typeof PoolType = PoolOfUndici

/** Connections to any number of origins. */
export const Agent: typeof AgentType = AgentOfUndici

const everyone = new Agent()

export type RequestOptions = Omit<Dispatcher.RequestOptions, 'origin' | 'path' | 'method'> & {
  method?: Dispatcher.HttpMethod
  dispatcher?: Dispatcher
}

/** One request over HTTP; the caller consumes the body. @throws the transport's error. */
export function request(url: string | URL, options: RequestOptions = {}): Promise<Dispatcher.ResponseData> {
  const { origin, pathname, search } = new URL(url)
  const { dispatcher = everyone, ...rest } = options
  return dispatcher.request({ method: 'GET', ...rest, origin, path: `${pathname}${search}` })
}
