import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { fits } from '../http/validation.ts'
import { agesMs, orNotFound, staleMs, withLast } from './object-http.ts'
import { type ObjectDriver, persistently, Refusal } from './objects.ts'
import { type OpenStackAccount, openSession } from './openstack-auth.ts'

export interface SwiftSettings extends OpenStackAccount {
  container: string
  /** Before every key. */
  prefix: string
}

const Listing = Type.Array(
  Type.Object({ name: Type.Optional(Type.String()), last_modified: Type.Optional(Type.String()) }),
)
const Info = Type.Object({
  slo: Type.Optional(Type.Object({ max_manifest_segments: Type.Optional(Type.Integer()) })),
})

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')

/**
 * OpenStack Object Storage. Large objects are static ones: the manifest names its segments with their checksums, and Swift verifies them; a
 * listing, which may lag, never decides what an object is. Source: Object Storage API v1 reference; Swift, "Static Large Objects".
 */
export function swiftDriver(settings: SwiftSettings): ObjectDriver {
  const { container, prefix } = settings
  const session = openSession(settings, 'object-store')
  const at = (name: string) => `/${encodeURIComponent(container)}/${name.split('/').map(encodeURIComponent).join('/')}`
  const object = (key: string) => at(`${prefix}${key}`)
  const segments = `${prefix}segments/`
  let most: number | null = null

  const empty = async (...args: Parameters<typeof session.request>) => {
    const { body, headers } = await session.request(...args)
    await body.dump()
    return headers
  }
  const write = (path: string, part: Buffer) =>
    persistently(() => empty('PUT', path, { body: part, headers: { etag: md5(part) } })) // Swift holds it against the bytes
  const drop = (path: string) =>
    persistently(async () => {
      try {
        await empty('DELETE', path)
      } catch (thrown) {
        if (!(thrown instanceof Refusal) || thrown.status !== 404) throw thrown
      }
    })

  async function* names(under: string): AsyncGenerator<{ name: string; ageMs: number }> {
    for (let marker = ''; ; ) {
      const query = new URLSearchParams({ format: 'json', prefix: under, limit: '1000', marker })
      const { body } = await persistently(() => session.request('GET', `/${encodeURIComponent(container)}?${query}`))
      const text = await body.text() // 204, without a body, where there is nothing
      const page: unknown = text === '' ? [] : JSON.parse(text)
      if (!fits(Listing, page)) throw new Error('Swift sent no listing')
      for (const { name, last_modified } of page)
        if (name !== undefined) yield { name, ageMs: agesMs(`${last_modified ?? ''}Z`) || 0 }
      const last = page.at(-1)?.name
      if (last === undefined || page.length < 1000) return
      marker = last
    }
  }

  return {
    type: 'swift',
    properties: { container, large_object_size: 8, large_object_chunk_size: 8 },

    async prepare() {
      await persistently(() => empty('PUT', `/${encodeURIComponent(container)}`)) // 202 where it is there
    },

    async put(key, parts) {
      const written: { path: string; etag: string; size_bytes: number }[] = []
      const path = (index: number) => at(`${segments}${key}/${String(index).padStart(8, '0')}`)
      try {
        for await (const { part, isLast } of withLast(parts)) {
          if (isLast && written.length === 0) {
            await write(object(key), part)
            return
          }
          most ??= await limitOf(session)
          if (written.length === most)
            throw new Refusal(`writing ${key}`, 413, `Swift takes no more than ${most} segments`)
          const name = `${segments}${key}/${String(written.length).padStart(8, '0')}`
          await write(path(written.length), part)
          written.push({ path: `/${container}/${name}`, etag: md5(part), size_bytes: part.length })
        }
        const body = JSON.stringify(written)
        await persistently(() => empty('PUT', `${object(key)}?multipart-manifest=put`, { body }))
      } catch (thrown) {
        for (const index of written.keys()) await empty('DELETE', path(index)).catch(() => {}) // else swept
        throw thrown
      }
    },

    async read(key, { start, end }) {
      const headers = { range: `bytes=${start}-${end - 1}` }
      return (await orNotFound(key, session.request('GET', object(key), { headers }))).body
    },

    async size(key) {
      const headers = await orNotFound(key, empty('HEAD', object(key), { headers: { 'x-newest': 'true' } }))
      return Number(headers['content-length'])
    },

    async remove(key) {
      const headers = await orNotFound(key, empty('HEAD', object(key), { headers: { 'x-newest': 'true' } }))
      const isLarge = headers['x-static-large-object']?.toLowerCase() === 'true'
      await orNotFound(key, empty('DELETE', `${object(key)}${isLarge ? '?multipart-manifest=delete' : ''}`))
    },

    async *list() {
      const whole = new Set<string>()
      for await (const { name, ageMs } of names(prefix)) {
        if (name.startsWith(segments)) continue
        const key = name.slice(prefix.length)
        whole.add(key)
        yield { key, ageMs }
      }
      // Segments of what was never finished, or whose manifest went while Swift was in trouble.
      for await (const { name, ageMs } of names(segments)) {
        const key = name.slice(segments.length).split('/')[0] ?? ''
        if (ageMs > staleMs && !whole.has(key)) await drop(at(name))
      }
    },
  }
}

async function limitOf(session: ReturnType<typeof openSession>): Promise<number> {
  const usual = 1000
  const info: unknown = JSON.parse(await session.beside('/info').catch(() => '{}')) // a proxy may hide it
  return fits(Info, info) ? (info.slo?.max_manifest_segments ?? usual) : usual
}
