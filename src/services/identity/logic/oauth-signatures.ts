import { createHmac, timingSafeEqual } from 'node:crypto'

/** A request as the one who signed it saw it. */
export interface OauthRequest {
  readonly method: string
  /** Absolute, with its query. */
  readonly url: string
  /** The Authorization header. */
  readonly authorization: string | undefined
}

/** The parameters of an `Authorization: OAuth …` header. Source: RFC 5849 §3.5.1. */
export type OauthParams = Readonly<Record<string, string>>

const hashes: Readonly<Record<string, string>> = { 'HMAC-SHA1': 'sha1', 'HMAC-SHA256': 'sha256' }

/** A signed request is good for so long, give or take: what is caught on the way cannot be sent again next week. */
const lifetimeMs = 600_000

/** Null when there is no such header, or it cannot be read. */
export function oauthParams(authorization: string | undefined): OauthParams | null {
  if (!authorization || !/^OAuth\s/i.test(authorization)) return null
  const params: Record<string, string> = {}
  for (const [, name = '', value = ''] of authorization.slice(5).matchAll(/\s*([^=,\s]+)="([^"]*)"\s*(?:,|$)/g)) {
    try {
      if (name !== 'realm') params[decodeURIComponent(name)] = decodeURIComponent(value)
    } catch {
      return null // malformed escapes
    }
  }
  return params
}

/**
 * Whether the request was signed with these secrets, lately. Signatures by HMAC only: PLAINTEXT would send the secrets.
 * Source: RFC 5849 §3.2 to §3.4.
 */
export function isSigned(request: OauthRequest, secrets: { consumer: string; token: string }, nowMs: number): boolean {
  const params = oauthParams(request.authorization)
  const hash = params && hashes[params.oauth_signature_method ?? '']
  if (!params || !hash || (params.oauth_version ?? '1.0') !== '1.0' || !params.oauth_nonce) return false
  const age = nowMs - Number(params.oauth_timestamp) * 1000
  if (!(Math.abs(age) <= lifetimeMs)) return false // also when it is no number
  const key = `${encoded(secrets.consumer)}&${encoded(secrets.token)}`
  const expected = createHmac(hash, key).update(baseString(request, params)).digest()
  const given = Buffer.from(params.oauth_signature ?? '', 'base64')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** Source: RFC 5849 §3.4.1. */
export function baseString({ method, url }: Pick<OauthRequest, 'method' | 'url'>, params: OauthParams): string {
  const { protocol, host, pathname, searchParams } = new URL(url) // lower case, without a default port
  const { oauth_signature, ...signed } = params
  const pairs = [...Object.entries(signed), ...searchParams].map(
    ([name, value]) => [encoded(name), encoded(value)] as const,
  )
  const sorted = pairs.sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
  const text = sorted.map(([name, value]) => `${name}=${value}`).join('&')
  return [method.toUpperCase(), encoded(`${protocol}//${host}${pathname}`), encoded(text)].join('&')
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Source: RFC 5849 §3.6: all but letters, digits and `-._~`. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
