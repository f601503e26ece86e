import { type Static, Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { check, compile } from '../../../platform/http/validation.ts'
import * as rows from '../db/stock.ts'
import type { Deps } from '../logic/deps.ts'
import * as providers from '../logic/providers.ts'
import { notFound } from '../logic/refusals.ts'
import * as stock from '../logic/stock.ts'
import { dated, providerPath, since, strict } from './common.ts'

const most = 2_147_483_647
const Count = (minimum: number) => Type.Integer({ minimum, maximum: most })
const Generation = Type.Integer()
const ClassName = '^[A-Z0-9_]+$'
const values = {
  total: Count(1),
  reserved: Type.Optional(Count(0)),
  min_unit: Type.Optional(Count(1)),
  max_unit: Type.Optional(Count(1)),
  step_size: Type.Optional(Count(1)),
  allocation_ratio: Type.Optional(Type.Number({ maximum: 3.40282e38 })),
}
const OptionalGeneration = { resource_provider_generation: Type.Optional(Generation) }
const One = Type.Object({ ...values, ...OptionalGeneration }, strict)
export const Inventories = Type.Object(
  {
    resource_provider_generation: Generation,
    inventories: Type.Record(Type.String({ pattern: ClassName }), One, strict),
  },
  strict,
)
const added = compile(
  Type.Object({ ...values, ...OptionalGeneration, resource_class: Type.String({ pattern: ClassName }) }, strict),
  'body',
)
const changed = compile(Type.Object({ ...values, resource_provider_generation: Generation }, strict), 'body')
const replaced = compile(Inventories, 'body')

/** With the values that clients leave out. */
export const inventoryOf = (given: Static<typeof One>): stock.Inventory => ({
  total: given.total,
  reserved: given.reserved ?? 0,
  min_unit: given.min_unit ?? 1,
  max_unit: given.max_unit ?? most,
  step_size: given.step_size ?? 1,
  allocation_ratio: given.allocation_ratio ?? 1,
})

const view = (i: stock.Inventory): stock.Inventory => ({
  ...{ total: i.total, reserved: i.reserved, min_unit: i.min_unit, max_unit: i.max_unit, step_size: i.step_size },
  allocation_ratio: i.allocation_ratio,
})

/** Source: Placement API reference, "Resource provider inventories". */
export function inventoryRoutes(app: App, deps: Deps): void {
  const { read } = deps.database
  const rule = (verb: string) => ({ policy: `placement:resource_providers:inventories:${verb}` })
  const path = '/resource_providers/:id/inventories'
  const params = Type.Object({ id: Type.String() })
  const oneParams = Type.Object({ id: Type.String(), name: Type.String() })

  app.get(path, { config: rule('list'), schema: { params } }, async (request, reply) => {
    const provider = await providers.get(read, request.params.id)
    const found = await rows.list(read, [provider.id])
    dated(request, reply, provider.updated_at)
    return {
      resource_provider_generation: provider.generation,
      inventories: Object.fromEntries(found.map((row) => [row.resource_class, view(row)])),
    }
  })

  app.post(
    path,
    { config: { ...rule('create'), bodies: () => [added.schema] }, schema: { params } },
    async (request, reply) => {
      const { id } = request.params
      await providers.get(read, id)
      const body = check<Static<typeof One> & { resource_class: string }>(added, request.body)
      const inventory = inventoryOf(body)
      stock.checkCapacity(body.resource_class, inventory, id, since(request, '1.26'))
      const provider = await stock.add(deps, id, body.resource_class, inventory)
      dated(request, reply, provider.updated_at)
      reply.header('location', `${providerPath(id)}/inventories/${body.resource_class}`)
      return reply.code(201).send({ ...inventory, resource_provider_generation: provider.generation })
    },
  )

  app.put(
    path,
    { config: { ...rule('update'), bodies: () => [replaced.schema] }, schema: { params } },
    async (request, reply) => {
      const { id } = request.params
      await providers.get(read, id)
      const body = check<Static<typeof Inventories>>(replaced, request.body)
      const wanted = new Map(Object.entries(body.inventories).map(([name, given]) => [name, inventoryOf(given)]))
      for (const [name, each] of wanted) stock.checkCapacity(name, each, id, since(request, '1.26'))
      const { provider, inventories } = await stock.set(deps, id, body.resource_provider_generation, wanted)
      dated(request, reply, provider.updated_at)
      return {
        resource_provider_generation: provider.generation,
        inventories: Object.fromEntries(inventories),
      }
    },
  )

  app.delete(path, { config: { ...rule('delete'), since: '1.5' }, schema: { params } }, async (request, reply) => {
    await stock.set(deps, request.params.id, null, new Map())
    return reply.code(204).send()
  })

  app.get(`${path}/:name`, { config: rule('show'), schema: { params: oneParams } }, async (request, reply) => {
    const { id, name } = request.params
    const provider = await providers.get(read, id)
    const found = (await rows.list(read, [id])).find((row) => row.resource_class === name)
    if (!found) throw notFound(`No inventory of class ${name} for ${id}`)
    dated(request, reply, provider.updated_at)
    return { ...view(found), resource_provider_generation: provider.generation }
  })

  app.put(
    `${path}/:name`,
    { config: { ...rule('update'), bodies: () => [changed.schema] }, schema: { params: oneParams } },
    async (request, reply) => {
      const { id, name } = request.params
      await providers.get(read, id)
      const body = check<Static<typeof One> & { resource_provider_generation: number }>(changed, request.body)
      const inventory = inventoryOf(body)
      stock.checkCapacity(name, inventory, id, since(request, '1.26'))
      const provider = await stock.update(deps, id, name, body.resource_provider_generation, inventory)
      dated(request, reply, provider.updated_at)
      return { ...inventory, resource_provider_generation: provider.generation }
    },
  )

  app.delete(`${path}/:name`, { config: rule('delete'), schema: { params: oneParams } }, async (request, reply) => {
    await stock.remove(deps, request.params.id, request.params.name)
    return reply.code(204).send()
  })
}
