import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { urlOf } from '../../../platform/config.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl, withQuery } from '../../../platform/http/links.ts'
import type { Deps } from '../logic/deps.ts'
import { bookmark, isTrue, last, type Query, queryOf, selfLinks, timeOf } from './common.ts'
import { absent, ask, otherwise } from './neighbours.ts'

/** An image as Image's API shows it; its own properties stand beside these. */
const attributes = new Set([
  ...['id', 'name', 'status', 'visibility', 'owner', 'size', 'virtual_size', 'checksum', 'protected', 'tags', 'self'],
  ...['container_format', 'disk_format', 'min_ram', 'min_disk', 'os_hidden', 'os_hash_algo', 'os_hash_value'],
  ...['created_at', 'updated_at', 'file', 'schema', 'locations', 'direct_url', 'stores'],
])
export type Image = Record<string, unknown> & { id: string; name: string | null; status: string }

/** What Compute calls an image's metadata. */
export const propertiesOf = (image: Image): Record<string, string> =>
  Object.fromEntries(
    Object.entries(image).flatMap(([key, value]) => (attributes.has(key) ? [] : [[key, String(value)]])),
  )

export const findImage = (deps: Deps, request: FastifyRequest, id: string): Promise<Image> =>
  ask<Image>(deps.image, request, { path: `/v2/images/${encodeURIComponent(id)}` }).catch(
    otherwise('notFound', 'Image not found.', absent),
  )

const statuses: Readonly<Record<string, readonly [name: string, progress: number]>> = {
  active: ['ACTIVE', 100],
  queued: ['SAVING', 25],
  saving: ['SAVING', 50],
  deleted: ['DELETED', 0],
  pending_delete: ['DELETED', 0],
  killed: ['ERROR', 0],
}

/** Proxies of Image until 2.35. Source: Compute API reference, "Images (deprecated)". */
export function imageRoutes(app: App, deps: Deps): void {
  const config = { policy: 'authenticated', until: '2.35' }
  const one = { params: Type.Object({ id: Type.String() }) }

  for (const detail of [false, true]) {
    app.get(detail ? '/images/detail' : '/images', { config }, async (request) => {
      const query = filtersOf(queryOf(request))
      const { images } = await ask<{ images: Image[] }>(deps.image, request, { path: '/v2/images', query })
      const full = query.limit !== undefined && images.length > 0 && images.length === Number(query.limit)
      const next = withQuery(request, { marker: images.at(-1)?.id ?? null })
      return {
        images: images.map((image) => (detail ? detailView(deps, request, image) : basicView(deps, request, image))),
        ...(full ? { images_links: [{ rel: 'next', href: baseUrl(request) + next }] } : {}),
      }
    })
  }

  app.get('/images/:id', { config, schema: one }, async (request) => ({
    image: detailView(deps, request, await findImage(deps, request, request.params.id)),
  }))

  app.delete('/images/:id', { config, schema: one }, async (request, reply) => {
    const path = `/v2/images/${encodeURIComponent(request.params.id)}`
    await ask(deps.image, request, { method: 'DELETE', path }).catch(otherwise('notFound', 'Image not found.', absent))
    return reply.code(204).send()
  })
}

const names: Readonly<Record<string, string>> = {
  name: 'name',
  status: 'status',
  server: 'instance_uuid',
  type: 'image_type',
  minRam: 'min_ram',
  minDisk: 'min_disk',
  limit: 'limit',
  marker: 'marker',
}

/** The filters of then in Image's words of now. @throws CloudError `badRequest` */
function filtersOf(query: Query): Record<string, string> {
  const found: Record<string, string> = {}
  for (const key of Object.keys(query)) {
    const name = names[key] ?? (key.startsWith('property-') ? key.slice('property-'.length) : undefined)
    const value = last(query, key) ?? ''
    if (name === undefined) continue
    if (name === 'instance_uuid') found[name] = value.split('/').at(-1)!
    else if (name === 'status') found[name] = value.toLowerCase()
    else found[name] = value
  }
  const since = timeOf(query, 'changes-since')
  if (since !== null) found.updated_at = `gte:${since}`
  return found
}

function basicView(deps: Deps, request: FastifyRequest, { id, name }: Image) {
  const alternate = {
    ...{ rel: 'alternate', type: 'application/vnd.openstack.image' },
    href: `${urlOf(deps.ground.config, 'image')}/images/${id}`,
  }
  return { id, name, links: [...selfLinks(request, 'images', id), alternate] }
}

function detailView(deps: Deps, request: FastifyRequest, image: Image) {
  const metadata = propertiesOf(image)
  const { instance_uuid: serverId, auto_disk_config: auto } = metadata
  const [status, progress] = statuses[image.status] ?? ['UNKNOWN', 0]
  return {
    ...basicView(deps, request, image),
    ...{ minRam: image.min_ram ?? 0, minDisk: image.min_disk ?? 0, metadata, status, progress },
    ...{ created: image.created_at, updated: image.updated_at, 'OS-EXT-IMG-SIZE:size': image.size },
    ...(serverId === undefined
      ? {}
      : {
          server: {
            id: serverId,
            links: [selfLinks(request, 'servers', serverId)[0], bookmark(request, 'servers', serverId)],
          },
        }),
    ...(auto === undefined ? {} : { 'OS-DCF:diskConfig': isTrue(auto) ? 'AUTO' : 'MANUAL' }),
  }
}
