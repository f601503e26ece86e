import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { type Static, Type } from 'typebox'
import { NotFound } from '../errors.ts'
import { fits } from '../http/validation.ts'
import { agesMs, orNotFound, staleMs } from './object-http.ts'
import { type ObjectDriver, persistently, Refusal } from './objects.ts'
import { type OpenStackAccount, openSession } from './openstack-auth.ts'

export interface GlanceSettings extends OpenStackAccount {
  /** Marks what is ours. */
  prefix: string
}

const Image = Type.Object({
  id: Type.String(),
  name: Type.Union([Type.String(), Type.Null()]),
  status: Type.String(),
  size: Type.Union([Type.Integer(), Type.Null()]),
  created_at: Type.String(),
  os_hash_algo: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  os_hash_value: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})
const Page = Type.Object({ images: Type.Array(Image), next: Type.Optional(Type.String()) })

const json = { 'content-type': 'application/json' }

/**
 * Another cloud's Image service: a private image for each file. It is `active` only when all its data is there, and then never
 * changes. Source: Image API v2 reference, "Images", "Image data".
 */
export function glanceDriver(settings: GlanceSettings): ObjectDriver {
  const session = openSession(settings, 'image')
  const mark = `berth:${settings.prefix || 'blobs'}`
  const ids = new Map<string, string>()
  const nameOf = (key: string) => `${mark}/${key}`

  async function* images(query: Record<string, string>) {
    const search = new URLSearchParams({ limit: '200', visibility: 'private', ...query })
    for (let path: string | undefined = `/v2/images?${search}`; path; ) {
      const next: string = path
      const { body } = await persistently(() => session.request('GET', next))
      const page: unknown = await body.json()
      if (!fits(Page, page)) throw new Error('Glance sent no list of images')
      yield* page.images
      path = page.next
    }
  }

  async function find(key: string): Promise<Static<typeof Image>> {
    for await (const image of images({ name: nameOf(key) })) if (image.status === 'active') return image
    throw new NotFound('Blob', key)
  }

  async function idOf(key: string): Promise<string> {
    const id = ids.get(key) ?? (await find(key)).id
    ids.set(key, id)
    if (ids.size > 5000) ids.delete(ids.keys().next().value ?? '')
    return id
  }

  const drop = (id: string) =>
    persistently(async () => {
      try {
        await (await session.request('DELETE', `/v2/images/${id}`)).body.dump()
      } catch (thrown) {
        if (!(thrown instanceof Refusal) || thrown.status !== 404) throw thrown
      }
    })

  return {
    type: 'glance',
    properties: { prefix: settings.prefix },

    async prepare() {
      await (await persistently(() => session.request('GET', '/v2/images?limit=1'))).body.dump()
    },

    async put(key, parts) {
      const wanted = {
        ...{ name: nameOf(key), visibility: 'private', container_format: 'bare', disk_format: 'raw' },
        berth_store: mark,
      }
      const { body } = await session.request('POST', '/v2/images', { headers: json, body: JSON.stringify(wanted) })
      const made: unknown = await body.json()
      if (!fits(Image, made)) throw new Error('Glance made no image')
      const hash = createHash('sha512')
      async function* hashed() {
        for await (const part of parts) {
          hash.update(part)
          yield part
        }
      }
      try {
        const sent = await session.request('PUT', `/v2/images/${made.id}/file`, {
          headers: { 'content-type': 'application/octet-stream' },
          body: Readable.from(hashed(), { objectMode: false, highWaterMark: 1 }),
        })
        await sent.body.dump()
        const found = await find(key)
        if (found.os_hash_algo === 'sha512' && found.os_hash_value !== hash.digest('hex'))
          throw new Refusal(`writing ${key}`, 422, 'Glance has other bytes than were sent')
        ids.set(key, made.id)
      } catch (thrown) {
        await drop(made.id).catch(() => {}) // else swept
        throw thrown
      }
    },

    async read(key, { start, end }) {
      const headers = { range: `bytes=${start}-${end - 1}` }
      return (await orNotFound(key, session.request('GET', `/v2/images/${await idOf(key)}/file`, { headers }))).body
    },

    async size(key) {
      return (await find(key)).size ?? 0
    },

    async remove(key) {
      const id = await idOf(key)
      ids.delete(key)
      await drop(id)
    },

    async *list() {
      for await (const image of images({ berth_store: mark })) {
        const name = image.name ?? ''
        const ageMs = agesMs(image.created_at)
        if (image.status !== 'active') {
          if (ageMs > staleMs) await drop(image.id)
        } else if (name.startsWith(`${mark}/`)) yield { key: name.slice(mark.length + 1), ageMs }
      }
    },
  }
}
