import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as itemRows from '../db/metadef-items.ts'
import * as namespaceRows from '../db/metadef-namespaces.ts'
import { metadefSchemas } from '../logic/metadef-schema.ts'
import * as metadefs from '../logic/metadefs.ts'
import {
  allowIn,
  associationView,
  base,
  bodyOf,
  directionOf,
  type InNamespace,
  limitOf,
  namespaceView,
  objectView,
  route,
  searchOf,
  sortKeyOf,
} from './metadef-shared.ts'
import { only } from './shared.ts'

/** Source: Image API v2 reference, "Metadata definition namespaces" and "Metadata definition schemas". */
export function metadefNamespaceRoutes(app: App, deps: metadefs.Deps): void {
  app.get(base, route('get_metadef_namespaces'), async (request) => {
    const allow = allowIn(request)
    allow('get_metadef_namespaces', null)
    allow('list_metadef_resource_types', null)
    const { ctx } = request
    const search = searchOf(request)
    const visibility = search.get('visibility') || undefined
    if (visibility !== undefined && visibility !== 'public' && visibility !== 'private') {
      throw new CloudError('badRequest', `Invalid visibility value: ${visibility}`)
    }
    const marker = search.get('marker')
    const limit = limitOf(search) ?? 25
    const page = await namespaceRows.list(deps.database.read, ctx, {
      visibility,
      resourceTypes: search.get('resource_types')?.split(','),
      sortKey: sortKeyOf(search, namespaceRows.namespaceSortKeys),
      direction: directionOf(search),
      after: marker ? await metadefs.get(deps.database.read, ctx, marker) : undefined,
      limit,
    })
    const shown = page.filter(({ owner, visibility }) =>
      request.can({ project_id: owner, visibility }, 'get_metadef_namespace'),
    )
    const ids = shown.map(({ id }) => id)
    const associations = Map.groupBy(await itemRows.associations(deps.database.read, ids), (one) => one.namespaceId)
    search.delete('marker')
    const first = search.size > 0 ? `${base}?${search}` : base
    const last = page.at(-1)
    if (last) search.set('marker', last.namespace)
    return {
      namespaces: shown.map((namespace) => {
        const of = associations.get(namespace.id)
        return {
          ...namespaceView(namespace),
          ...(of ? { resource_type_associations: of.map(associationView) } : {}),
        }
      }),
      first,
      ...(last && page.length === limit ? { next: `${base}?${search}` } : {}),
      schema: '/v2/schemas/metadefs/namespaces',
    }
  })

  app.post(base, route('add_metadef_namespace'), async (request, reply) => {
    // Who may not make any, learns that first, whatever the document is worth.
    allowIn(request)('add_metadef_namespace', null)
    const body = bodyOf('namespace', request.body)
    const namespace = await metadefs.createNamespace(deps, request.ctx, body, allowIn(request))
    const made = await detail(deps, namespace, null)
    return reply
      .code(201)
      .header('location', encodeURI(`${base}/${namespace.namespace}`))
      .send(made)
  })
  only(app, base, ['GET', 'POST'])

  app.get<InNamespace>(`${base}/:namespace`, route('get_metadef_namespace'), async (request) => {
    const allow = allowIn(request)
    const namespace = await metadefs.get(deps.database.read, request.ctx, request.params.namespace)
    for (const rule of [
      'get_metadef_namespace',
      'list_metadef_resource_types',
      'get_metadef_objects',
      'get_metadef_properties',
      'get_metadef_tags',
    ]) {
      allow(rule, namespace)
    }
    return detail(deps, namespace, searchOf(request).get('resource_type'))
  })

  app.put<InNamespace>(`${base}/:namespace`, route('modify_metadef_namespace'), async (request) => {
    const body = bodyOf('namespace', request.body)
    const { namespace } = request.params
    return namespaceView(await metadefs.updateNamespace(deps, request.ctx, namespace, body, allowIn(request)))
  })

  app.delete<InNamespace>(`${base}/:namespace`, route('delete_metadef_namespace'), async (request, reply) => {
    await metadefs.removeNamespace(deps, request.ctx, request.params.namespace, allowIn(request))
    return reply.code(204).send()
  })
  only(app, `${base}/:namespace`, ['GET', 'PUT', 'DELETE'])

  app.get<{ Params: { name: string } }>(
    '/v2/schemas/metadefs/:name',
    { exposeHeadRoute: false, config: { policy: 'authenticated' } },
    async ({ params: { name } }) => {
      const schema = Object.hasOwn(metadefSchemas, name) ? metadefSchemas[name] : undefined
      if (!schema) throw new CloudError('notFound', 'The resource could not be found.')
      return schema
    },
  )
  only(app, '/v2/schemas/metadefs/:name', ['GET'])
}

/** With all it contains; the names of properties as they are on a type of resource, where one is asked for. */
async function detail({ database }: metadefs.Deps, namespace: metadefs.Namespace, resourceType: string | null) {
  const list = (kind: metadefs.Item['kind']) => itemRows.list(database.read, namespace.id, kind)
  const [objects, properties, tags, associations] = [
    await list('object'),
    await list('property'),
    await list('tag'),
    await list('resource_type'),
  ]
  const found = associations.find(({ name }) => name === resourceType)?.value.prefix
  const prefix = typeof found === 'string' ? found : ''
  const renamed = (of: object) => Object.fromEntries(Object.entries(of).map(([name, value]) => [prefix + name, value]))
  return {
    ...namespaceView(namespace),
    ...(associations.length > 0 ? { resource_type_associations: associations.map(associationView) } : {}),
    ...(properties.length > 0
      ? { properties: Object.fromEntries(properties.map(({ name, value }) => [prefix + name, value])) }
      : {}),
    ...(objects.length > 0
      ? {
          objects: objects.map((item) => {
            const object = objectView(namespace.namespace, item)
            const required = (object.required as string[]).map((name) => prefix + name)
            return { ...object, required, properties: renamed(object.properties as object) }
          }),
        }
      : {}),
    ...(tags.length > 0 ? { tags: tags.map(({ name }) => ({ name })) } : {}),
  }
}
