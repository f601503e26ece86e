import { createHash, createHmac } from 'node:crypto'
import { agesMs, call, callEmpty, orNotFound, staleMs, withLast } from './object-http.ts'
import { type ObjectDriver, persistently, Refusal } from './objects.ts'

export interface S3Settings {
  type: 's3' | 'gcs'
  /** `https://s3.eu-west-1.amazonaws.com`; the bucket comes behind it. */
  endpoint: string
  region: string
  bucket: string
  accessKey: string
  secretKey: string
  /** Before every key. */
  prefix: string
  /** Of temporary credentials. */
  sessionToken?: string
  encrypt?: boolean
}

type Query = Readonly<Record<string, string>>

const sha256 = (data: Buffer | string) => createHash('sha256').update(data).digest('hex')
const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest()
/** RFC 3986, which signatures want: more is escaped than `encodeURIComponent` does. */
const escaped = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/** Source: Amazon S3 API reference, "Authenticating Requests (AWS Signature Version 4)". */
export function signed(
  {
    accessKey,
    secretKey,
    region,
    sessionToken,
  }: Pick<S3Settings, 'accessKey' | 'secretKey' | 'region' | 'sessionToken'>,
  {
    method,
    url,
    query,
    body,
    headers = {},
  }: {
    method: string
    url: URL
    query: Query
    body: Buffer | string
    headers?: Record<string, string>
  },
  now: Date,
): Record<string, string> {
  const time = now.toISOString().replace(/[-:]|\.\d{3}/g, '')
  const day = time.slice(0, 8)
  const all: Record<string, string> = {
    ...headers,
    host: url.host,
    'x-amz-content-sha256': sha256(body),
    'x-amz-date': time,
    ...(sessionToken ? { 'x-amz-security-token': sessionToken } : {}),
  }
  const names = Object.keys(all).sort()
  const canonical = [
    method,
    url.pathname,
    queryOf(query),
    ...names.map((name) => `${name}:${(all[name] ?? '').trim()}`),
    '',
    names.join(';'),
    all['x-amz-content-sha256'],
  ].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const key = ['s3', 'aws4_request'].reduce(hmac, hmac(hmac(`AWS4${secretKey}`, day), region))
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex')
  const { host: _host, ...sent } = all
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  }
}

const queryOf = (query: Query): string =>
  Object.entries(query)
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .sort()
    .join('&')

/**
 * Amazon S3 and what speaks like it, Google Cloud Storage with its interoperable keys among them. A multipart upload is an object from its
 * completion on, and none before. Source: Amazon S3 API reference; Cloud Storage XML API, "Multipart uploads".
 */
export function s3Driver(settings: S3Settings): ObjectDriver {
  const { endpoint, bucket, prefix, region, type, encrypt = false } = settings
  const request = (
    method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE',
    key: string,
    query: Query = {},
    more: { headers?: Record<string, string>; body?: Buffer | string } = {},
  ) => {
    const path = [bucket, ...(key === '' ? [] : key.split('/'))].map(escaped).join('/')
    const url = new URL(`${endpoint.replace(/\/$/, '')}/${path}`)
    const { body = '', headers = {} } = more
    const search = queryOf(query)
    return [
      method,
      `${url.href}${search ? `?${search}` : ''}`,
      {
        headers: signed(settings, { method, url, query, body, headers }, new Date()),
        ...(body.length > 0 || method === 'PUT' ? { body } : {}),
      },
    ] as const
  }
  const at = (key: string) => `${prefix}${key}`
  const encryption = encrypt ? { 'x-amz-server-side-encryption': 'AES256' } : {}
  const text = async (...args: Parameters<typeof request>) => (await call(...request(...args))).body.text()

  return {
    type,
    properties: { bucket, region, s3_store_large_object_size: 8 },

    async prepare() {
      await persistently(async () => {
        try {
          await callEmpty(...request('HEAD', ''))
        } catch (thrown) {
          if (!(thrown instanceof Refusal) || thrown.status !== 404) throw thrown
          await callEmpty(...request('PUT', ''))
        }
      })
    },

    async put(key, parts) {
      let upload: string | null = null
      const tags: string[] = []
      try {
        for await (const { part, isLast } of withLast(parts)) {
          if (isLast && upload === null) {
            await persistently(() => callEmpty(...request('PUT', at(key), {}, { body: part, headers: encryption })))
            return
          }
          upload ??= await persistently(async () =>
            one('UploadId', await text('POST', at(key), { uploads: '' }, { headers: encryption })),
          )
          const query = { partNumber: String(tags.length + 1), uploadId: upload }
          const { headers } = await persistently(() => callEmpty(...request('PUT', at(key), query, { body: part })))
          tags.push(headers.etag ?? '')
        }
        const list = tags.map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${tag}</ETag></Part>`).join('')
        const body = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`
        await persistently(async () => {
          try {
            const said = await text('POST', at(key), { uploadId: upload ?? '' }, { body })
            // It answers 200 before it has tried.
            if (said.includes('<Error>')) throw new Refusal(`completing ${key}`, 500, said)
          } catch (thrown) {
            // The answer to an earlier attempt was lost: then the upload is no more, and the object is there.
            if (!(thrown instanceof Refusal) || thrown.status !== 404) throw thrown
            await callEmpty(...request('HEAD', at(key)))
          }
        })
      } catch (thrown) {
        if (upload !== null) await callEmpty(...request('DELETE', at(key), { uploadId: upload })).catch(() => {}) // else swept
        throw thrown
      }
    },

    async read(key, { start, end }) {
      const headers = { range: `bytes=${start}-${end - 1}` }
      return (await orNotFound(key, call(...request('GET', at(key), {}, { headers })))).body
    },

    async size(key) {
      const { headers } = await orNotFound(key, callEmpty(...request('HEAD', at(key))))
      return Number(headers['content-length'])
    },

    async remove(key) {
      await orNotFound(key, callEmpty(...request('DELETE', at(key))))
    },

    async *list() {
      for (const each of all('Upload', await text('GET', '', { uploads: '', prefix }))) {
        const key = one('Key', each)
        if (agesMs(one('Initiated', each)) < staleMs || !key.startsWith(prefix)) continue
        await callEmpty(...request('DELETE', key, { uploadId: one('UploadId', each) })).catch(() => {})
      }
      let after: Query = {}
      for (;;) {
        const page = await persistently(() => text('GET', '', { 'list-type': '2', prefix, ...after }))
        for (const each of all('Contents', page)) {
          const key = one('Key', each)
          if (key.startsWith(prefix)) yield { key: key.slice(prefix.length), ageMs: agesMs(one('LastModified', each)) }
        }
        const token = one('NextContinuationToken', page)
        if (one('IsTruncated', page) !== 'true' || token === '') return
        after = { 'continuation-token': token }
      }
    },
  }
}

/** The answers are small and of one make: no reader of XML is needed. */
const all = (tag: string, xml: string): string[] =>
  [...xml.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, 'gs'))].map(([, inner = '']) => inner)

const one = (tag: string, xml: string): string =>
  (all(tag, xml)[0] ?? '')
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
