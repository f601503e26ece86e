import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { signed } from '../../src/platform/blobs/s3.ts'

/** What a server shall do in place of answering: `cut` half way through the answer, `lost` after it has done its work. */
export type Trouble = '500' | 'cut' | 'lost' | null

export interface ObjectServer {
  port: number
  /** Objects as clients can see them. */
  readonly objects: ReadonlyMap<string, Buffer>
  /** Half-written things. */
  readonly parts: ReadonlyMap<string, Buffer>
  /** Asked before every request. */
  trouble: (method: string, url: URL) => Trouble
}

type Handler = (request: { method: string; url: URL; headers: IncomingMessage['headers']; body: Buffer }) => {
  status: number
  headers?: Record<string, string>
  body?: Buffer | string
}

async function serve(
  t: { after(f: () => void): void },
  state: { objects: Map<string, Buffer>; parts: Map<string, Buffer> },
  handle: Handler,
): Promise<ObjectServer> {
  const found: ObjectServer = { port: 0, ...state, trouble: () => null }
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', headers } = request
    const url = new URL(request.url ?? '/', 'http://x')
    const body = await buffer(request).catch(() => null)
    if (!body) return response.destroy()
    const trouble = found.trouble(method, url)
    if (trouble === '500') return response.writeHead(500).end('in trouble')
    const answer = handle({ method, url, headers, body })
    if (trouble === 'lost') return response.destroy()
    const bytes = Buffer.from(answer.body ?? '')
    response.writeHead(answer.status, { 'content-length': bytes.length, ...answer.headers })
    if (trouble === 'cut' && bytes.length > 1) {
      response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy())
      return
    }
    response.end(method === 'HEAD' ? undefined : bytes)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  found.port = (server.address() as AddressInfo).port
  return found
}

const md5 = (bytes: Buffer | string) => createHash('md5').update(bytes).digest('hex')

function ranged(bytes: Buffer, range: string | undefined) {
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
  if (start === undefined) return { status: 200, body: bytes }
  return { status: 206, body: bytes.subarray(Number(start), Number(end) + 1) }
}

/** Source: Amazon S3 API reference: what `s3Driver` asks, signatures held against the request, no more. */
export async function startS3(
  t: { after(f: () => void): void },
  keys: { accessKey: string; secretKey: string; region: string },
): Promise<ObjectServer> {
  const objects = new Map<string, Buffer>()
  const parts = new Map<string, Buffer>()
  const dates = new Map<string, Date>()
  let uploads = 0
  let bucket = false
  return serve(t, { objects, parts }, ({ method, url, headers, body }) => {
    const names = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? []
    const time = String(headers['x-amz-date'])
    const now = new Date(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
    const given = Object.fromEntries(
      names
        .filter((name) => name !== 'host' && !['x-amz-content-sha256', 'x-amz-date'].includes(name))
        .map((name) => [name, String(headers[name])]),
    )
    const there = new URL(url.pathname, `http://${headers.host}`)
    const query = Object.fromEntries(url.searchParams)
    const expected = signed(keys, { method, url: there, query, body, headers: given }, now)
    if (expected.authorization !== headers.authorization) return { status: 403, body: 'SignatureDoesNotMatch' }
    const key = decodeURIComponent(url.pathname.split('/').slice(2).join('/'))
    const id = query.uploadId
    const done = (name: string, inner: string) => ({
      status: 200,
      body: `<?xml version="1.0"?><${name}>${inner}</${name}>`,
    })
    if (key === '') {
      if (method === 'PUT') bucket = true
      if (method !== 'GET') return { status: bucket ? 200 : 404 }
      if ('uploads' in query) {
        const ids = new Set([...parts.keys()].map((part) => part.split('#')[0] ?? ''))
        const each = [...ids].map((upload) => {
          const [name, number] = upload.split('@')
          return `<Upload><Key>${name}</Key><UploadId>${number}</UploadId><Initiated>2020-01-01T00:00:00Z</Initiated></Upload>`
        })
        return done('ListMultipartUploadsResult', each.join(''))
      }
      const after = query['continuation-token'] ?? ''
      const all = [...objects.keys()].filter((name) => name > after && name.startsWith(query.prefix ?? '')).sort()
      const page = all.slice(0, 2)
      const rest = all.length > page.length
      const each = page.map(
        (name) =>
          `<Contents><Key>${name}</Key><LastModified>${dates.get(name)?.toISOString()}</LastModified></Contents>`,
      )
      const token = rest ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''
      return done('ListBucketResult', `${each.join('')}<IsTruncated>${rest}</IsTruncated>${token}`)
    }
    if (method === 'POST' && 'uploads' in query) {
      uploads++
      parts.set(`${key}@${uploads}#0`, Buffer.alloc(0))
      return done('InitiateMultipartUploadResult', `<UploadId>${uploads}</UploadId>`)
    }
    const mine = () =>
      [...parts.keys()]
        .filter((part) => part.startsWith(`${key}@${id}#`))
        .sort((a, b) => Number(a.split('#')[1]) - Number(b.split('#')[1]))
    if (method === 'PUT' && id !== undefined) {
      parts.set(`${key}@${id}#${query.partNumber}`, body)
      return { status: 200, headers: { etag: `"${md5(body)}"` } }
    }
    if (method === 'POST') {
      const names = mine()
      if (names.length === 0) return { status: 404, body: '<Error><Code>NoSuchUpload</Code></Error>' }
      const tags = [...body.toString().matchAll(/<ETag>"?([0-9a-f]+)"?<\/ETag>/g)].map(([, tag]) => tag)
      const bytes = names.slice(1).map((name) => parts.get(name) ?? Buffer.alloc(0))
      if (tags.join() !== bytes.map(md5).join()) return done('Error', '<Code>InvalidPart</Code>')
      objects.set(key, Buffer.concat(bytes))
      dates.set(key, new Date())
      for (const name of names) parts.delete(name)
      return done('CompleteMultipartUploadResult', '')
    }
    if (method === 'DELETE') {
      if (id === undefined) objects.delete(key)
      else for (const name of mine()) parts.delete(name)
      return { status: 204 }
    }
    if (method === 'PUT') {
      objects.set(key, body)
      dates.set(key, new Date())
      return { status: 200, headers: { etag: `"${md5(body)}"` } }
    }
    const bytes = objects.get(key)
    if (!bytes) return { status: 404 }
    if (method === 'HEAD') return { status: 200, headers: { 'content-length': String(bytes.length) } }
    return ranged(bytes, headers.range)
  })
}

/**
 * Swift with static large objects, and log-ins of all three versions before it. Source: Object Storage API v1 reference;
 * Identity API v2.0 and v3 references.
 */
export async function startSwift(
  t: { after(f: () => void): void },
  imageUrl?: () => string,
): Promise<ObjectServer & { revoke(): void }> {
  const objects = new Map<string, Buffer>()
  const parts = new Map<string, Buffer>()
  const manifests = new Map<string, string[]>()
  const dates = new Map<string, Date>()
  let containers = 0
  let token = 't1'
  const server = await serve(t, { objects, parts }, ({ method, url, headers, body }) => {
    const root = `http://${headers.host}`
    const storage = `${root}/v1/AUTH_x`
    if (url.pathname === '/info') return { status: 200, body: JSON.stringify({ slo: { max_manifest_segments: 1000 } }) }
    if (url.pathname === '/auth/v1.0') {
      const isRight = headers['x-auth-user'] === 'acme:ann' && headers['x-auth-key'] === 'secret'
      return isRight ? { status: 200, headers: { 'x-auth-token': token, 'x-storage-url': storage } } : { status: 401 }
    }
    if (url.pathname === '/v2.0/tokens') {
      const { auth } = JSON.parse(body.toString())
      if (auth.passwordCredentials.password !== 'secret' || auth.tenantName !== 'acme') return { status: 401 }
      const endpoints = [{ publicURL: storage, region: 'R1' }]
      const access = { token: { id: token }, serviceCatalog: [{ type: 'object-store', endpoints }] }
      return { status: 200, body: JSON.stringify({ access }) }
    }
    if (url.pathname === '/v3/auth/tokens') {
      const { identity } = JSON.parse(body.toString()).auth
      const secret = identity.password?.user.password ?? identity.application_credential?.secret
      if (secret !== 'secret') return { status: 401 }
      const at = (type: string, where: string) => ({
        type,
        endpoints: [
          { interface: 'admin', url: 'http://127.0.0.1:1', region_id: 'R1' },
          { interface: 'public', url: where, region_id: 'R1' },
        ],
      })
      const catalog = [at('object-store', storage), at('image', imageUrl?.() ?? '')]
      return { status: 201, headers: { 'x-subject-token': token }, body: JSON.stringify({ token: { catalog } }) }
    }
    if (headers['x-auth-token'] !== token) return { status: 401 }
    const path = decodeURIComponent(url.pathname.replace('/v1/AUTH_x/', ''))
    if (!path.includes('/')) {
      if (method === 'PUT') containers++
      if (method !== 'GET') return { status: 201 }
      if (containers === 0) return { status: 404 }
      const after = url.searchParams.get('marker') ?? ''
      const under = `${path}/${url.searchParams.get('prefix') ?? ''}`
      const all = [...objects.keys(), ...parts.keys()].filter(
        (name) => name.startsWith(under) && name > `${path}/${after}`,
      )
      if (all.length === 0) return { status: 204 }
      const listed = all.sort().map((name) => ({
        name: name.slice(path.length + 1),
        last_modified: (dates.get(name) ?? new Date()).toISOString().replace('Z', ''),
      }))
      return { status: 200, body: JSON.stringify(listed) }
    }
    if (containers === 0) return { status: 404 }
    if (method === 'PUT' && url.searchParams.get('multipart-manifest') === 'put') {
      const list: { path: string; etag: string; size_bytes: number }[] = JSON.parse(body.toString())
      const found = list.map((part) => parts.get(part.path.slice(1)))
      if (found.some((bytes, i) => !bytes || md5(bytes) !== list[i]?.etag || bytes.length !== list[i]?.size_bytes))
        return { status: 400, body: 'Errors: a segment is not as it should be' }
      objects.set(path, Buffer.concat(found.map((bytes) => bytes ?? Buffer.alloc(0))))
      manifests.set(
        path,
        list.map((part) => part.path.slice(1)),
      )
      return { status: 201 }
    }
    if (method === 'PUT') {
      if (headers.etag !== undefined && headers.etag !== md5(body)) return { status: 422 }
      const where = path.includes('segments/') ? parts : objects
      where.set(path, body)
      return { status: 201, headers: { etag: md5(body) } }
    }
    if (method === 'DELETE') {
      if (!objects.has(path) && !parts.has(path)) return { status: 404 }
      if (url.searchParams.get('multipart-manifest') === 'delete')
        for (const part of manifests.get(path) ?? []) parts.delete(part)
      manifests.delete(path)
      objects.delete(path)
      parts.delete(path)
      return { status: 204 }
    }
    const bytes = objects.get(path)
    if (!bytes) return { status: 404 }
    const slo = manifests.has(path) ? { 'x-static-large-object': 'True' } : {}
    if (method === 'HEAD') return { status: 200, headers: { 'content-length': String(bytes.length), ...slo } }
    return { ...ranged(bytes, headers.range), headers: slo }
  })
  return Object.assign(server, {
    revoke() {
      token = `${token}x`
    },
  })
}
