import type { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { Dispatcher } from 'undici'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import { Agent, request } from '../../../platform/http/client.ts'
import { fits } from '../../../platform/http/validation.ts'
import { digestPattern } from './digests.ts'

/** Another registry, whose repositories are seen here under a name. */
export interface Upstream {
  /** The first part of the names that are fetched from it. */
  name: string
  /** `https://registry-1.docker.io`. */
  url: string
  /** For those that want one. */
  user: string
  password: string
}

/** `hub=https://registry-1.docker.io, other=https://user:password@host`. @throws CloudError for what is no such list */
export function upstreamsOf(text: string): Upstream[] {
  return text
    .split(/[\s,]+/)
    .filter((one) => one !== '')
    .map((one) => {
      const [, name = '', address = ''] = /^([a-z0-9]+(?:[._-][a-z0-9]+)*)=(https?:\/\/\S+)$/.exec(one) ?? []
      if (name === '' || !URL.canParse(address))
        throw new CloudError(
          'badRequest',
          `registryUpstreams must be NAME=URL, with commas between; ${name || 'one'} is not.`,
        )
      const { origin, pathname, username, password } = new URL(address)
      const [user, secret] = [decodeURIComponent(username), decodeURIComponent(password)]
      return { name, url: `${origin}${pathname.replace(/\/$/, '')}`, user, password: secret }
    })
}

const dispatcher = new Agent({
  connections: 16,
  headersTimeout: 30_000,
  bodyTimeout: 60_000,
  connect: { timeout: 10_000 },
})

const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

const Token = Type.Object({ token: Type.Optional(Type.String()), access_token: Type.Optional(Type.String()) })
const maxManifestBytes = 4 * 1024 * 1024

export interface UpstreamManifest {
  bytes: Buffer
  mediaType: string
}

/** Asks one registry, with a token where it wants one. */
export function upstreamClient(upstream: Upstream) {
  const tokens = new Map<string, string>()

  async function get(
    method: 'GET' | 'HEAD',
    repository: string,
    path: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const url = `${upstream.url}/v2/${repository}/${path}`
    const ask = () => {
      const token = tokens.get(repository)
      const all = { ...headers, ...(token ? { authorization: token } : {}) }
      return request(url, { method, headers: all, dispatcher, signal })
    }
    let answer = await ask()
    if (answer.statusCode === 401) {
      await answer.body.dump()
      tokens.set(
        repository,
        await authorization(upstream, repository, String(answer.headers['www-authenticate']), signal),
      )
      answer = await ask()
    }
    for (let hop = 0; hop < 5 && [301, 302, 303, 307, 308].includes(answer.statusCode); hop++) {
      await answer.body.dump()
      // Where blobs are kept elsewhere; the token is not for that place.
      const next = new URL(String(answer.headers.location), url)
      answer = await request(next, { method, headers, dispatcher, signal })
    }
    return answer
  }

  return {
    /** Null when it is not there. @throws CloudError `unavailable` */
    async manifest(repository: string, reference: string, signal: AbortSignal): Promise<UpstreamManifest | null> {
      const answer = await told(get('GET', repository, `manifests/${reference}`, { accept }, signal))
      if ([401, 403, 404].includes(answer.statusCode)) {
        await answer.body.dump()
        return null
      }
      if (answer.statusCode !== 200) throw away(upstream, `it answers ${answer.statusCode}`)
      const chunks: Buffer[] = []
      let size = 0
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        size += chunk.length
        if (size > maxManifestBytes) throw away(upstream, 'its manifest is too large')
        chunks.push(chunk)
      }
      const mediaType =
        String(answer.headers['content-type'] ?? '')
          .split(';')[0]
          ?.trim() ?? ''
      return { bytes: Buffer.concat(chunks), mediaType }
    },

    /** What a tag means now; null when that cannot be told cheaply. */
    async digest(repository: string, reference: string, signal: AbortSignal): Promise<string | null> {
      const answer = await told(get('HEAD', repository, `manifests/${reference}`, { accept }, signal))
      await answer.body.dump()
      const digest = String(answer.headers['docker-content-digest'] ?? '')
      return answer.statusCode === 200 && digestPattern.test(digest) ? digest : null
    },

    /** @throws CloudError `unavailable` */
    async blob(repository: string, digest: string, signal: AbortSignal): Promise<Readable> {
      const answer = await told(get('GET', repository, `blobs/${digest}`, {}, signal))
      if (answer.statusCode === 200) return answer.body
      await answer.body.dump()
      throw away(upstream, `it answers ${answer.statusCode} for ${digest}`)
    },
  }

  function told<T>(work: Promise<T>): Promise<T> {
    return work.catch((thrown: unknown) => {
      throw thrown instanceof CloudError ? thrown : away(upstream, messageOf(thrown), thrown)
    })
  }
}

const away = ({ name }: Upstream, why: string, cause?: unknown): CloudError =>
  new CloudError('unavailable', `the upstream registry ${name} cannot be read: ${why}`, { cause })

/** Source: distribution's "Token Authentication Specification". */
async function authorization(
  upstream: Upstream,
  repository: string,
  challenge: string,
  signal: AbortSignal,
): Promise<string> {
  const basic = `Basic ${Buffer.from(`${upstream.user}:${upstream.password}`).toString('base64')}`
  if (/^basic/i.test(challenge)) return basic
  const parameter = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1]
  const realm = parameter('realm')
  if (!realm || !URL.canParse(realm)) throw away(upstream, 'it does not say where tokens are')
  const url = new URL(realm)
  const service = parameter('service')
  if (service) url.searchParams.set('service', service)
  url.searchParams.set('scope', `repository:${repository}:pull`)
  const headers = upstream.user ? { authorization: basic } : {}
  const answer = await request(url, { headers, dispatcher, signal })
  const said: unknown = await answer.body.json().catch(() => null)
  const token = fits(Token, said) ? (said.token ?? said.access_token) : undefined
  if (!token) throw away(upstream, `its token service answers ${answer.statusCode}`)
  return `Bearer ${token}`
}
