import { Type } from 'typebox'
import { systemContext } from '../../../platform/auth/context.ts'
import { CloudError, messageOf } from '../../../platform/errors.ts'
import { fits } from '../../../platform/http/validation.ts'
import * as repositories from '../db/repositories.ts'
import * as tagRows from '../db/tags.ts'
import type { Deps } from './deps.ts'
import { algorithmOf, digestOf } from './digests.ts'
import { put } from './manifests.ts'
import type { Repository } from './names.ts'
import { append, begin, cancel, finish } from './uploads.ts'
import { type Upstream, upstreamClient, upstreamsOf } from './upstreams.ts'

/** How long a tag is believed before its registry is asked what it means now. */
const freshMs = 60_000
const patienceMs = 30 * 60_000

const Parts = Type.Object({
  manifests: Type.Optional(
    Type.Array(
      Type.Object({
        digest: Type.String(),
        platform: Type.Optional(Type.Object({ os: Type.String(), architecture: Type.String() })),
      }),
    ),
  ),
  config: Type.Optional(Type.Object({ digest: Type.String(), size: Type.Integer() })),
  layers: Type.Optional(
    Type.Array(
      Type.Object({
        digest: Type.String(),
        size: Type.Integer(),
        urls: Type.Optional(Type.Array(Type.String())),
      }),
    ),
  ),
})

export interface Mirror {
  /**
   * Makes sure that `library/<upstream>/<name>` has what is asked for, from its own registry; many who ask at once wait for one
   * fetch. When that registry is away, what is here already is served. @throws CloudError where nothing is
   */
  ensure(deps: Deps, repository: Repository, reference: string): Promise<void>
}

/** A pull-through cache. Source: OCI distribution specification 1.1, "Pull", from the other side. */
export function createMirror(setting: string): Mirror {
  const upstreams = new Map(upstreamsOf(setting).map((one) => [one.name, { one, client: upstreamClient(one) }]))
  const underway = new Map<string, Promise<void>>()
  const checkedMs = new Map<string, number>()

  return {
    async ensure(deps, repository, reference) {
      const [first = '', ...rest] = repository.name.split('/')
      const upstream = repository.owner === null ? upstreams.get(first) : undefined
      if (!upstream || rest.length === 0) return
      const key = `${repository.key}@${reference}`
      const running =
        underway.get(key) ??
        fetchOnce(deps, upstream, rest.join('/'), repository, reference).finally(() => underway.delete(key))
      underway.set(key, running)
      await running
    },
  }

  async function fetchOnce(
    deps: Deps,
    { one, client }: { one: Upstream; client: ReturnType<typeof upstreamClient> },
    name: string,
    repository: Repository,
    reference: string,
  ): Promise<void> {
    const { database, clock } = deps
    const isDigest = reference.includes(':')
    const key = `${repository.key}@${reference}`
    const known = isDigest ? reference : await tagRows.find(database.read, repository.key, reference)
    const isHere = known !== null && (await repositories.findManifest(database.read, repository.key, known)) !== null
    if (isHere && (isDigest || (checkedMs.get(key) ?? 0) > clock.nowMs() - freshMs)) return
    const signal = AbortSignal.timeout(patienceMs)
    try {
      if (isHere && (await client.digest(name, reference, signal)) === known) {
        remember(key, clock.nowMs())
        return
      }
      const found = await client.manifest(name, reference, signal)
      if (!found) return // what is here stays: a tag that was deleted there may still be wanted
      await take(deps, client, name, repository, { ...found, reference }, signal, 0)
      remember(key, clock.nowMs())
    } catch (thrown) {
      if (!isHere) throw thrown
      deps.log.warn({ upstream: one.name, repository: name, reason: messageOf(thrown) }, 'an upstream registry is away')
    }
  }

  function remember(key: string, nowMs: number): void {
    checkedMs.delete(key)
    checkedMs.set(key, nowMs)
    if (checkedMs.size > 5000) checkedMs.delete(checkedMs.keys().next().value ?? '')
  }
}

/** A manifest with all it names: blobs first, of an index the manifests of its platforms. */
async function take(
  deps: Deps,
  client: ReturnType<typeof upstreamClient>,
  name: string,
  repository: Repository,
  sent: { bytes: Buffer; mediaType: string; reference: string },
  signal: AbortSignal,
  depth: number,
): Promise<void> {
  const { database } = deps
  const { bytes, reference } = sent
  if (reference.includes(':') && digestOf(algorithmOf(reference), bytes) !== reference)
    throw new CloudError('unavailable', 'the upstream registry sent another manifest than was asked for')
  const parsed: unknown = JSON.parse(bytes.toString('utf8'))
  if (!fits(Parts, parsed) || depth > 2)
    throw new CloudError('unavailable', 'the upstream registry sent what is no manifest')
  for (const { digest } of parsed.manifests ?? []) {
    if (await repositories.findManifest(database.read, repository.key, digest)) continue
    const inner = await client.manifest(name, digest, signal)
    if (!inner) throw new CloudError('unavailable', `the upstream registry lacks ${digest}`)
    await take(deps, client, name, repository, { ...inner, reference: digest }, signal, depth + 1)
  }
  const layers = (parsed.layers ?? []).filter(({ urls = [] }) => urls.length === 0)
  for (const { digest, size } of [...(parsed.config ? [parsed.config] : []), ...layers]) {
    if (await repositories.findBlob(database.read, repository.key, digest)) continue
    // Also what some project has here: a manifest from elsewhere must not open that to everybody. It is stored once all the same.
    const { id } = await begin(deps, repository.key)
    try {
      const body = await client.blob(name, digest, signal)
      await append(deps, repository.key, id, { body, start: null, length: size })
      await finish(deps, repository.key, id, digest)
    } catch (thrown) {
      await cancel(deps, repository.key, id).catch(() => {}) // gone already, or collected later
      throw thrown
    }
  }
  const origin = { ctx: systemContext('req-mirror'), address: '', host: '', method: 'GET', userAgent: 'mirror' }
  await put(deps, origin, repository, reference, { bytes, mediaType: sent.mediaType })
}
