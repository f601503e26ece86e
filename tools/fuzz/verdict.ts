import type { ServiceName } from '../../src/platform/config.ts'

export interface Got {
  status: number
  headers: Readonly<Record<string, unknown>>
  body: string
  ms: number
}

const slowMs = 5000

/** What is wrong with an answer; null when nothing is. */
export function faultIn(service: ServiceName, method: string, path: string, got: Got): string | null {
  if (got.ms > slowMs) return `answered after ${Math.round(got.ms)} ms`
  // 501 is a refusal like those below 500: what the API has, and this cloud has nothing for.
  if (got.status >= 500 && got.status !== 501) return `status ${got.status}`
  const type = String(got.headers['content-type'] ?? '')
  if (!got.headers['x-openstack-request-id']) return 'no request id'
  if (method === 'HEAD') return got.body === '' ? null : 'HEAD with a body'
  if (/^\/(healthz|readyz|metrics)/.test(path)) return null
  let json: unknown
  if (type.includes('json') && got.body !== '') {
    try {
      json = JSON.parse(got.body)
    } catch {
      return 'says JSON and is none'
    }
  }
  if (got.status < 400) return null
  return dialects[service]?.(got.status, json, got.body) === false
    ? `status ${got.status} in no dialect of ${service}`
    : null
}

const has = (value: unknown, shape: Readonly<Record<string, string>>): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(shape).every(([key, type]) => typeof (value as Record<string, unknown>)[key] === type)

/** Keystone's middleware answers a missing token alike in front of every service. */
const keystone = (status: number, json: unknown): boolean => {
  const { error } = (json ?? {}) as { error?: { code?: number } }
  return has(error, { code: 'number', title: 'string', message: 'string' }) && error?.code === status
}

const dialects: Readonly<Partial<Record<ServiceName, (status: number, json: unknown, text: string) => boolean>>> = {
  identity: keystone,
  compute(status, json) {
    if (status === 401 && keystone(status, json)) return true
    if (status === 406 && Array.isArray((json as { errors?: unknown })?.errors)) return true
    const [fault] = Object.values((json ?? {}) as Record<string, { code?: number }>)
    return has(fault, { code: 'number', message: 'string' }) && fault?.code === status
  },
  network: (status, json) =>
    (status === 401 && keystone(status, json)) ||
    has((json as { NeutronError?: unknown })?.NeutronError, { type: 'string', message: 'string', detail: 'string' }),
  image: (status, json, text) => (status === 401 && keystone(status, json)) || text.includes(`<title>${status} `),
  registry(status, json) {
    const { errors } = (json ?? {}) as { errors?: unknown[] }
    return (status === 401 && keystone(status, json)) || has(errors?.[0], { code: 'string', message: 'string' })
  },
}
