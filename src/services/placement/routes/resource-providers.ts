import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { check, compile } from '../../../platform/http/validation.ts'
import { newId } from '../../../platform/ids.ts'
import type { Deps } from '../logic/deps.ts'
import { canLend, forest, meets, type Node } from '../logic/forest.ts'
import * as names from '../logic/names.ts'
import * as providers from '../logic/providers.ts'
import { badRequest } from '../logic/refusals.ts'
import {
  checkKeys,
  dashed,
  dated,
  idParams,
  isUuid,
  last,
  latest,
  providerPath,
  queryOf,
  since,
  strict,
  Uuid,
} from './common.ts'
import { aggregatesOf, resourcesOf, traitsOf } from './conditions.ts'

const Name = Type.String({ maxLength: 200 })
const Parent = Type.Optional(Type.Union([Uuid, Type.Null()]))
const created = compile(Type.Object({ name: Name, uuid: Type.Optional(Uuid) }, strict), 'body')
const createdInTree = compile(
  Type.Object({ name: Name, uuid: Type.Optional(Uuid), parent_provider_uuid: Parent }, strict),
  'body',
)
const changed = compile(Type.Object({ name: Name }, strict), 'body')
const changedInTree = compile(Type.Object({ name: Name, parent_provider_uuid: Parent }, strict), 'body')

interface Body {
  name: string
  uuid?: string
  parent_provider_uuid?: string | null
}

/** Source: Placement API reference, "Resource providers". */
export function resourceProviderRoutes(app: App, deps: Deps): void {
  const { read } = deps.database
  const rule = (verb: string) => ({ policy: `placement:resource_providers:${verb}` })

  app.get('/resource_providers', { config: rule('list') }, async (request, reply) => {
    const wanted = filtersOf(request)
    const all = await forest(read)
    const checked = [...(wanted.resources?.keys() ?? [])]
    const [unknown] = await names.unknownClasses(read, checked)
    if (unknown !== undefined) {
      throw badRequest(`Invalid resource class in resources parameter: No such resource class ${unknown}.`)
    }
    const traits = [...wanted.traits.allOf.flatMap((any) => [...any]), ...wanted.traits.noneOf]
    const missing = await names.unknownTraits(read, traits)
    if (missing.length > 0) {
      throw badRequest(`Invalid trait(s) in "required" parameter: No such trait(s): ${missing.join(', ')}.`)
    }
    const rows = [...all.values()].filter((node) => matches(all, node, wanted)).map((node) => node.row)
    dated(request, reply, latest(rows.map((row) => row.updated_at)))
    return { resource_providers: rows.map((row) => view(request, row)) }
  })

  app.post(
    '/resource_providers',
    { config: { ...rule('create'), bodies: () => [created.schema, createdInTree.schema] } },
    async (request, reply) => {
      const body = check<Body>(since(request, '1.14') ? createdInTree : created, request.body)
      const row = await providers.create(deps, {
        ...{ id: body.uuid === undefined ? newId() : dashed(body.uuid), name: body.name },
        parentId: body.parent_provider_uuid ? dashed(body.parent_provider_uuid) : null,
      })
      reply.header('location', providerPath(row.id))
      if (!since(request, '1.20')) return reply.code(201).send()
      dated(request, reply, row.updated_at)
      return view(request, row)
    },
  )

  app.get('/resource_providers/:id', { config: rule('show'), schema: { params: idParams } }, async (request, reply) => {
    const row = await providers.get(read, request.params.id)
    dated(request, reply, row.updated_at)
    return view(request, row)
  })

  app.put(
    '/resource_providers/:id',
    {
      config: { ...rule('update'), bodies: () => [changed.schema, changedInTree.schema] },
      schema: { params: idParams },
    },
    async (request, reply) => {
      await providers.get(read, request.params.id)
      const body = check<Body>(since(request, '1.14') ? changedInTree : changed, request.body)
      const parent = body.parent_provider_uuid
      const row = await providers.update(deps, request.params.id, {
        ...{ name: body.name, mayMove: since(request, '1.37') },
        parentId: typeof parent === 'string' ? dashed(parent) : parent,
      })
      dated(request, reply, row.updated_at)
      return view(request, row)
    },
  )

  app.delete(
    '/resource_providers/:id',
    { config: rule('delete'), schema: { params: idParams } },
    async (request, reply) => {
      await providers.remove(deps, request.params.id)
      return reply.code(204).send()
    },
  )
}

const firstVersions: Readonly<Record<string, string>> = {
  ...{ name: '1.0', uuid: '1.0', member_of: '1.3', resources: '1.4', in_tree: '1.14', required: '1.18' },
}

function filtersOf(request: FastifyRequest) {
  const query = queryOf(request)
  checkKeys(query, (name) => name in firstVersions && since(request, firstVersions[name]!))
  const uuidOf = (name: string) => {
    const value = last(query, name)
    if (value === undefined) return undefined
    if (!isUuid(value)) throw badRequest(`Invalid query string parameters: '${value}' is not a 'uuid'`)
    return dashed(value)
  }
  const resources = last(query, 'resources')
  return {
    ...{ name: last(query, 'name'), uuid: uuidOf('uuid'), inTree: uuidOf('in_tree') },
    resources: resources === undefined ? undefined : resourcesOf(resources),
    traits: traitsOf(request, 'required'),
    aggregates: aggregatesOf(request, 'member_of'),
  }
}

function matches(all: ReadonlyMap<string, Node>, node: Node, wanted: ReturnType<typeof filtersOf>): boolean {
  const { name, uuid, inTree, resources, traits, aggregates } = wanted
  if (name !== undefined && node.name !== name) return false
  if (uuid !== undefined && node.id !== uuid) return false
  if (inTree !== undefined && node.rootId !== all.get(inTree)?.rootId) return false
  if (resources && ![...resources].every(([each, amount]) => canLend(node, each, amount))) return false
  return meets(node.traits, traits) && meets(node.aggregates, aggregates)
}

const parts = [
  ['inventories', '1.0'],
  ['usages', '1.0'],
  ['aggregates', '1.1'],
  ['traits', '1.6'],
  ['allocations', '1.11'],
] as const

function view(request: FastifyRequest, { id, name, generation, parent_id, root_id }: providers.Provider) {
  const href = providerPath(id)
  const links = parts
    .filter(([, version]) => since(request, version))
    .map(([rel]) => ({ rel: rel as string, href: `${href}/${rel}` }))
  return {
    ...{ uuid: id, name, generation, links: [{ rel: 'self', href }, ...links] },
    ...(since(request, '1.14') ? { parent_provider_uuid: parent_id, root_provider_uuid: root_id } : {}),
  }
}
