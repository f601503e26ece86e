import type { FastifyRequest } from 'fastify'
import { seconds } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as itemRows from '../db/metadef-items.ts'
import * as metadefs from '../logic/metadefs.ts'
import {
  allowIn,
  associationView,
  base,
  bodyOf,
  directionOf,
  type InNamespace,
  limitOf,
  type Named,
  objectView,
  propertyView,
  route,
  searchOf,
  sortKeyOf,
  tagView,
} from './metadef-shared.ts'
import { only } from './shared.ts'

/** Source: Image API v2 reference, "Metadata definition objects, properties, tags, resource types". */
export function metadefContentRoutes(app: App, deps: metadefs.Deps): void {
  objectRoutes(app, deps)
  propertyRoutes(app, deps)
  tagRoutes(app, deps)
  resourceTypeRoutes(app, deps)
}

function objectRoutes(app: App, deps: metadefs.Deps): void {
  const all = `${base}/:namespace/objects`
  app.get<InNamespace>(all, route('get_metadef_objects'), async (request) => {
    const namespace = await metadefs.get(deps.database.read, request.ctx, request.params.namespace)
    allowIn(request)('get_metadef_objects', namespace)
    const items = await page(deps, request, namespace, 'object', 1)
    return {
      objects: items.map((item) => objectView(namespace.namespace, item)),
      schema: 'v2/schemas/metadefs/objects',
    }
  })
  app.post<InNamespace>(all, route('add_metadef_object'), async (request, reply) => {
    const { namespace } = request.params
    const body = bodyOf('object', request.body)
    const item = await metadefs.createItem(deps, request.ctx, namespace, 'object', body, allowIn(request))
    return reply.code(201).send(objectView(namespace, item))
  })
  app.delete<InNamespace>(all, route('delete_metadef_namespace'), removeAll(deps, 'object'))
  only(app, all, ['GET', 'POST', 'DELETE'])

  const one = `${all}/:name`
  app.get<Named>(one, route('get_metadef_object'), async (request) => {
    const { namespace, name } = request.params
    return objectView(namespace, await metadefs.getItem(deps, request.ctx, namespace, 'object', name, allowIn(request)))
  })
  app.put<Named>(one, route('modify_metadef_object'), async (request) => {
    const { namespace, name } = request.params
    const body = bodyOf('object', request.body)
    return objectView(
      namespace,
      await metadefs.updateItem(deps, request.ctx, namespace, 'object', name, body, allowIn(request)),
    )
  })
  app.delete<Named>(one, route('delete_metadef_object'), removeOne(deps, 'object'))
  only(app, one, ['GET', 'PUT', 'DELETE'])
}

function propertyRoutes(app: App, deps: metadefs.Deps): void {
  const all = `${base}/:namespace/properties`
  app.get<InNamespace>(all, route('get_metadef_properties'), async (request) => {
    const namespace = await metadefs.get(deps.database.read, request.ctx, request.params.namespace)
    allowIn(request)('get_metadef_properties', namespace)
    const items = await itemRows.list(deps.database.read, namespace.id, 'property')
    return { properties: Object.fromEntries(items.map(({ name, value }) => [name, value])) }
  })
  app.post<InNamespace>(all, route('add_metadef_property'), async (request, reply) => {
    const body = bodyOf('property', request.body)
    const { namespace } = request.params
    const item = await metadefs.createItem(deps, request.ctx, namespace, 'property', body, allowIn(request))
    return reply.code(201).send(propertyView(item))
  })
  app.delete<InNamespace>(all, route('delete_metadef_namespace'), removeAll(deps, 'property'))
  only(app, all, ['GET', 'POST', 'DELETE'])

  const one = `${all}/:name`
  app.get<Named>(one, route('get_metadef_property'), async (request) => {
    const { namespace, name } = request.params
    const resourceType = searchOf(request).get('resource_type')
    const allow = allowIn(request)
    return propertyView(
      resourceType
        ? await metadefs.getPrefixedProperty(deps, request.ctx, namespace, name, resourceType, allow)
        : await metadefs.getItem(deps, request.ctx, namespace, 'property', name, allow),
    )
  })
  app.put<Named>(one, route('modify_metadef_property'), async (request) => {
    const { namespace, name } = request.params
    const body = bodyOf('property', request.body)
    return propertyView(
      await metadefs.updateItem(deps, request.ctx, namespace, 'property', name, body, allowIn(request)),
    )
  })
  app.delete<Named>(one, route('remove_metadef_property'), removeOne(deps, 'property'))
  only(app, one, ['GET', 'PUT', 'DELETE'])
}

function tagRoutes(app: App, deps: metadefs.Deps): void {
  const all = `${base}/:namespace/tags`
  app.get<InNamespace>(all, route('get_metadef_tags'), async (request) => {
    const namespace = await metadefs.get(deps.database.read, request.ctx, request.params.namespace)
    allowIn(request)('get_metadef_tags', namespace)
    return { tags: (await page(deps, request, namespace, 'tag', 0)).map(({ name }) => ({ name })) }
  })
  app.post<InNamespace>(all, route('add_metadef_tags'), async (request, reply) => {
    const { tags = [] } = bodyOf('tags', request.body) as { tags?: { name: string }[] }
    const append = /^(1|t|true|on|y|yes)$/i.test(String(request.headers['x-openstack-append'] ?? '').trim())
    const names = tags.map(({ name }) => name)
    await metadefs.createTags(deps, request.ctx, request.params.namespace, names, append, allowIn(request))
    return reply.code(201).send({ tags: names.map((name) => ({ name })) })
  })
  app.delete<InNamespace>(all, route('delete_metadef_tags'), removeAll(deps, 'tag'))
  only(app, all, ['GET', 'POST', 'DELETE'])

  const one = `${all}/:name`
  app.get<Named>(one, route('get_metadef_tag'), async (request) => {
    const { namespace, name } = request.params
    return tagView(await metadefs.getItem(deps, request.ctx, namespace, 'tag', name, allowIn(request)))
  })
  app.post<Named>(one, route('add_metadef_tag'), async (request, reply) => {
    const { namespace, name } = request.params
    const body = bodyOf('tag', { name })
    const item = await metadefs.createItem(deps, request.ctx, namespace, 'tag', body, allowIn(request))
    return reply.code(201).send(tagView(item))
  })
  app.put<Named>(one, route('modify_metadef_tag'), async (request) => {
    const { namespace, name } = request.params
    const body = bodyOf('tag', request.body)
    return tagView(await metadefs.updateItem(deps, request.ctx, namespace, 'tag', name, body, allowIn(request)))
  })
  app.delete<Named>(one, route('delete_metadef_tag'), removeOne(deps, 'tag'))
  only(app, one, ['GET', 'POST', 'PUT', 'DELETE'])
}

function resourceTypeRoutes(app: App, deps: metadefs.Deps): void {
  app.get('/v2/metadefs/resource_types', route('list_metadef_resource_types'), async (request) => {
    allowIn(request)('list_metadef_resource_types', null)
    const found = await itemRows.resourceTypes(deps.database.read)
    return {
      resource_types: found.map(({ name, createdAt, updatedAt }) => ({
        name,
        created_at: seconds(createdAt),
        updated_at: seconds(updatedAt),
      })),
    }
  })
  only(app, '/v2/metadefs/resource_types', ['GET'])

  const all = `${base}/:namespace/resource_types`
  app.get<InNamespace>(all, route('get_metadef_resource_type'), async (request) => {
    const namespace = await metadefs.get(deps.database.read, request.ctx, request.params.namespace)
    allowIn(request)('list_metadef_resource_types', namespace)
    const target = { project_id: namespace.owner, visibility: namespace.visibility }
    const items = await itemRows.list(deps.database.read, namespace.id, 'resource_type')
    const shown = request.can(target, 'get_metadef_resource_type') ? items : []
    return { resource_type_associations: shown.map(associationView) }
  })
  app.post<InNamespace>(all, route('add_metadef_resource_type_association'), async (request, reply) => {
    const body = bodyOf('resource_type_association', request.body)
    const { namespace } = request.params
    const item = await metadefs.createItem(deps, request.ctx, namespace, 'resource_type', body, allowIn(request))
    return reply.code(201).send(associationView(item))
  })
  only(app, all, ['GET', 'POST'])

  const one = `${all}/:name`
  app.delete<Named>(one, route('remove_metadef_resource_type_association'), removeOne(deps, 'resource_type'))
  only(app, one, ['DELETE'])
}

async function page(
  { database }: metadefs.Deps,
  request: FastifyRequest,
  namespace: metadefs.Namespace,
  kind: 'object' | 'tag',
  leastLimit: number,
): Promise<metadefs.Item[]> {
  const search = searchOf(request)
  const visibility = search.get('visibility')
  if (visibility && !['public', 'private', 'shared'].includes(visibility)) {
    throw new CloudError('badRequest', `Invalid visibility value: ${visibility}`)
  }
  const marker = search.get('marker')
  const after = marker ? await itemRows.find(database.read, namespace.id, kind, marker) : undefined
  if (marker && !after) {
    throw new CloudError(
      'notFound',
      `The metadata definition ${kind} with name=${marker} was not found in namespace=${namespace.namespace}.`,
    )
  }
  return itemRows.list(database.read, namespace.id, kind, {
    sortKey: sortKeyOf(search, ['created_at', 'updated_at', 'name']),
    direction: directionOf(search),
    after,
    limit: limitOf(search, leastLimit),
  })
}

type Remover<R extends InNamespace> = (
  request: FastifyRequest<R>,
  reply: { code(status: number): { send(): unknown } },
) => Promise<unknown>

function removeAll(deps: metadefs.Deps, kind: 'object' | 'property' | 'tag'): Remover<InNamespace> {
  return async (request, reply) => {
    const { namespace } = request.params
    await metadefs.removeItems(deps, request.ctx, namespace, kind, allowIn(request as FastifyRequest))
    return reply.code(204).send()
  }
}

function removeOne(deps: metadefs.Deps, kind: metadefs.Item['kind']): Remover<Named> {
  return async (request, reply) => {
    const { namespace, name } = request.params
    await metadefs.removeItem(deps, request.ctx, namespace, kind, name, allowIn(request as FastifyRequest))
    return reply.code(204).send()
  }
}
