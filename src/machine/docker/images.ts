import type { Readable } from 'node:stream'
import { CloudError } from '../../platform/errors.ts'
import type { Engine } from './engine.ts'
import { readingBody } from './engine.ts'
import { errorOfMessage } from './errors.ts'
import { jsonLines } from './lines.ts'

/** Source for the whole file: Docker Engine API reference, "Image". */
export interface Image {
  Id: string
  RepoTags: readonly string[] | null
  RepoDigests: readonly string[] | null
  Size: number
  Created: string
}

export interface ImageSummary {
  Id: string
  RepoTags: readonly string[] | null
  /** Seconds since 1970. */
  Created: number
}

interface Progress {
  status?: string
  stream?: string
  error?: string
  errorDetail?: { message?: string }
}

const pathOf = (name: string) => `/images/${encodeURIComponent(name).replaceAll('%2F', '/')}`

/**
 * Pulls `reference` (`host:port/name@sha256:…`), with a bearer token for that registry. Resolves when it is all there.
 * A failure in the progress stream, which the engine starts with status 200, is thrown as one.
 */
export async function pull(engine: Engine, reference: string, token: string, signal: AbortSignal): Promise<void> {
  const auth = Buffer.from(JSON.stringify({ registrytoken: token })).toString('base64')
  const { body } = await engine.call('POST', '/images/create', {
    query: { fromImage: reference },
    // The engine decodes with the URL alphabet and insists on the padding, which Node's base64url leaves out.
    headers: { 'x-registry-auth': auth.replaceAll('+', '-').replaceAll('/', '_') },
    signal,
  })
  await readingBody(() => settled(body), signal, engine.socketPath)
}

/** Loads a `docker save` archive. Returns the ids or tags the engine names. */
export async function load(engine: Engine, archive: Readable | Uint8Array, signal: AbortSignal): Promise<string[]> {
  const { body } = await engine.call('POST', '/images/load', { query: { quiet: true }, body: archive, signal })
  const said = await readingBody(() => settled(body), signal, engine.socketPath)
  return said.flatMap((line) => /^Loaded image(?: ID)?: (\S+)/.exec(line)?.slice(1) ?? [])
}

/** Makes an image of one layer from a tar archive. Returns its id. */
export async function importTar(
  engine: Engine,
  archive: Readable | Uint8Array,
  options: { tag?: string; changes?: readonly string[]; signal: AbortSignal },
): Promise<string> {
  const [repo, tag] = options.tag ? splitTag(options.tag) : []
  const { body } = await engine.call('POST', '/images/create', {
    query: { fromSrc: '-', repo, tag, changes: options.changes?.join('\n') },
    body: archive,
    signal: options.signal,
  })
  const said = await readingBody(() => settled(body), options.signal, engine.socketPath)
  const id = said.map((line) => /sha256:[0-9a-f]{64}/.exec(line)?.[0]).findLast(Boolean)
  if (!id) throw new CloudError('internal', 'The Docker Engine did not name the image it imported.')
  return id
}

/** @throws CloudError `notFound` */
export const inspect = (engine: Engine, name: string, signal: AbortSignal): Promise<Image> =>
  engine.json('GET', `${pathOf(name)}/json`, { signal })

/** Images with a tag that matches `reference`, in which `*` may stand for a part of a name or a tag. */
export const listTagged = (engine: Engine, reference: string, signal: AbortSignal): Promise<ImageSummary[]> =>
  engine.json('GET', '/images/json', { query: { filters: JSON.stringify({ reference: [reference] }) }, signal })

/**
 * Removes this one image or tag; without `noprune` the engine takes untagged forerunners with it, which may be in use
 * elsewhere. An image that is absent already is no failure. @throws CloudError `conflict` while a container uses it
 */
export async function remove(engine: Engine, name: string, signal: AbortSignal): Promise<void> {
  await engine.send('DELETE', pathOf(name), { query: { noprune: true }, signal, accept: [404] })
}

export async function tag(engine: Engine, name: string, newTag: string, signal: AbortSignal): Promise<void> {
  const [repo, tag] = splitTag(newTag)
  await engine.send('POST', `${pathOf(name)}/tag`, { query: { repo, tag }, signal })
}

/** The image as a `docker save` archive. Named by id it carries no tag. The caller must consume or destroy the stream. */
export async function save(engine: Engine, name: string, signal: AbortSignal): Promise<Readable> {
  return (await engine.call('GET', `${pathOf(name)}/get`, { signal })).body
}

/** Reads a progress stream to its end. */
async function settled(body: Readable): Promise<string[]> {
  const said: string[] = []
  for await (const line of jsonLines<Progress>(body)) {
    const error = line.errorDetail?.message ?? line.error
    if (error) throw errorOfMessage(error)
    const text = line.stream ?? line.status
    if (text && said.length < 1000) said.push(text.trim())
  }
  return said
}

function splitTag(name: string): [string, string | undefined] {
  const colon = name.lastIndexOf(':')
  return colon > name.lastIndexOf('/') ? [name.slice(0, colon), name.slice(colon + 1)] : [name, undefined]
}
