import { setTimeout as sleep } from 'node:timers/promises'

export interface Reply<T> {
  status: number
  headers: Headers
  body: T
}

/** A plain HTTP client of an OpenStack cloud, logged in with a password: for tests that need what no client prints. */
export interface Api {
  readonly token: string
  readonly projectId: string
  url(service: string): string
  call<T>(
    method: string,
    service: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Reply<T>>
  get<T>(service: string, path: string): Promise<T>
}

/** @throws Error with the answer when the log-in is refused. */
export async function logIn(rc: Record<string, string>): Promise<Api> {
  const reply = await fetch(`${rc.OS_AUTH_URL?.replace(/\/v3\/?$/, '')}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: rc.OS_USERNAME, password: rc.OS_PASSWORD, domain: { id: 'default' } } },
        },
        scope: { project: { name: rc.OS_PROJECT_NAME, domain: { id: 'default' } } },
      },
    }),
  })
  const { token: said } = (await reply.json()) as {
    token: { project: { id: string }; catalog: { type: string; endpoints: { interface: string; url: string }[] }[] }
  }
  if (reply.status !== 201) throw new Error(`log-in: ${reply.status} ${JSON.stringify(said)}`)
  const token = reply.headers.get('x-subject-token') ?? ''
  const paths: Record<string, string> = { image: '/v2', network: '/v2.0', compute: '', identity: '' }
  const url = (service: string): string => {
    const found = said.catalog.find(({ type }) => type === service)?.endpoints.find((e) => e.interface === 'public')
    if (!found) throw new Error(`no ${service} in the catalog`)
    return found.url.replace(/\/$/, '') + (paths[service] ?? '')
  }
  const api: Api = {
    token,
    projectId: said.project.id,
    url,
    async call<T>(method: string, service: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
      const answer = await fetch(url(service) + path, {
        method,
        headers: {
          'x-auth-token': token,
          ...(body === undefined || body instanceof Buffer ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: body instanceof Buffer ? new Uint8Array(body) : JSON.stringify(body) }),
      })
      const text = await answer.text()
      const json = answer.headers.get('content-type')?.includes('json') && text
      return { status: answer.status, headers: answer.headers, body: (json ? JSON.parse(text) : text) as T }
    },
    async get<T>(service: string, path: string) {
      const answer = await api.call<T>('GET', service, path)
      if (answer.status !== 200)
        throw new Error(`GET ${service}${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
      return answer.body
    },
  }
  return api
}

/** Asks until `probe` gives something, at most `ms`; the state of the world is the event here. @throws Error `what` */
export async function until<T>(
  what: string,
  ms: number,
  probe: () => Promise<T | null | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + ms
  for (let last: unknown; ; ) {
    try {
      const found = await probe()
      if (found) return found
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`, { cause: last })
    await sleep(50)
  }
}
