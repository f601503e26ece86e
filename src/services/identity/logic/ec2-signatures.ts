import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** A request as it was signed, told by the service that received it. */
export interface SignedRequest {
  readonly verb: string
  readonly host: string
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  /** SHA-256 of the body, hexadecimal. */
  readonly bodyHash: string
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const algorithm = 'AWS4-HMAC-SHA256'

/**
 * The signature that `secret` gives this request: version 2 where its parameters say so, else version 4 from the
 * Authorization header or the query. Null for anything else; versions 0 and 1 sign too little to be accepted.
 * Source: AWS documentation, "Signature Version 2 signing process" and "Create a signed AWS API request".
 */
export function signatureOf(secret: string, request: SignedRequest): string | null {
  if (request.params.SignatureVersion === '2') return version2(secret, request)
  return request.params.SignatureVersion === undefined ? version4(secret, request) : null
}

function version2(secret: string, { verb, host, path, params }: SignedRequest): string {
  const signed = { ...params, SignatureMethod: 'HmacSHA256' }
  return hmac(secret, [verb, host, path, canonicalQuery(signed)].join('\n')).toString('base64')
}

function version4(secret: string, request: SignedRequest): string | null {
  const headers = new Map(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase().trim(), value]))
  const authorization = headers.get('authorization')
  if (!authorization?.startsWith(algorithm) && request.params['X-Amz-Algorithm'] !== algorithm) return null
  const said = (name: string): string =>
    (authorization
      ? new RegExp(`[ ,]${name}=([^,]*)`).exec(authorization)?.[1]?.trim()
      : request.params[`X-Amz-${name}`]) ?? ''
  const [, day = '', region = '', service = '', end = ''] = said('Credential').split('/')
  const date = headers.get('x-amz-date') ?? request.params['X-Amz-Date'] ?? ''
  if (!day || !date.startsWith(day) || end !== 'aws4_request') return null
  const names = said('SignedHeaders')
  const canonicalHeaders = names
    .split(';')
    .filter((name) => headers.has(name))
    .map((name) => `${name}:${headers.get(name)?.trim()}\n`)
    .join('')
  // A POST brings its parameters in the body, which is signed by its hash.
  const query = request.verb.toUpperCase() === 'POST' ? '' : canonicalQuery(request.params)
  const canonical = [request.verb.toUpperCase(), request.path, query, canonicalHeaders, names, request.bodyHash]
  const digest = createHash('sha256').update(canonical.join('\n')).digest('hex')
  const scope = [day, region, service, end].join('/')
  return hmac(signingKey(secret, day, region, service), [algorithm, date, scope, digest].join('\n')).toString('hex')
}

const signingKey = (secret: string, day: string, region: string, service: string): Buffer =>
  [region, service, 'aws4_request'].reduce(hmac, hmac(`AWS4${secret}`, day))

/**
 * The signature of what an S3 service was given to sign: version 4 when the text says so, else version 2 of S3 (HMAC
 * with SHA-1). Null for a version 4 text that is not meant for S3.
 */
export function signatureOfText(secret: string, text: Buffer): string | null {
  if (!text.subarray(0, 4).equals(Buffer.from('AWS4'))) return createHmac('sha1', secret).update(text).digest('base64')
  const lines = text.toString('utf8').split('\n')
  const [day = '', region = '', service = '', end = '', ...rest] = (lines[2] ?? '').split('/')
  if (lines.length !== 4 || lines[0] !== algorithm || end !== 'aws4_request' || rest.length > 0) return null
  if (!['s3', 'iam', 'sts'].includes(service)) return null
  return createHmac('sha256', signingKey(secret, day, region, service))
    .update(text)
    .digest('hex')
}

/** In constant time. */
export function sameText(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest())
  return timingSafeEqual(a!, b!)
}

function canonicalQuery(params: Readonly<Record<string, string>>): string {
  return Object.keys(params)
    .filter((name) => name !== 'Signature' && name !== 'X-Amz-Signature')
    .sort()
    .map((name) => `${encoded(name)}=${encoded(params[name]!)}`)
    .join('&')
}

/** RFC 3986: all but the unreserved characters. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
