import { type Static, Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { check, compile } from '../../../platform/http/validation.ts'
import * as providerRows from '../db/providers.ts'
import type { Deps } from '../logic/deps.ts'
import { badRequest, codes, conflict } from '../logic/refusals.ts'
import { reshape } from '../logic/reshape.ts'
import { consumersSchemas, type OneBody, wantedOf } from './allocation-bodies.ts'
import { dashed, since, strict } from './common.ts'
import { Inventories, inventoryOf } from './inventories.ts'

const bodies = consumersSchemas.map(({ version, schema }) => ({
  version,
  validate: compile(
    Type.Object(
      {
        inventories: Type.Record(Type.String({ pattern: '^[0-9a-fA-F-]{36}$' }), Inventories, {
          ...strict,
          minProperties: 1,
        }),
        allocations: schema,
      },
      strict,
    ),
    'body',
  ),
}))

interface Body {
  inventories: Record<string, Static<typeof Inventories>>
  allocations: Record<string, OneBody>
}

/** Source: Placement API reference, "Reshaper". */
export function reshaperRoutes(app: App, { database, clock }: Deps): void {
  const schemas = () => bodies.map(({ validate }) => validate.schema)
  const config = { policy: 'placement:reshaper:reshape', since: '1.30', bodies: schemas }
  app.post('/reshaper', { config }, async (request, reply) => {
    const { validate } = bodies.find(({ version }) => since(request, version))!
    const body = check<Body>(validate, request.body)
    await database.write(async (trx) => {
      const stocks = new Map<string, Map<string, ReturnType<typeof inventoryOf>>>()
      for (const [uuid, given] of Object.entries(body.inventories)) {
        const id = dashed(uuid)
        const provider = await providerRows.find(trx, id)
        if (!provider) {
          const why = `No resource provider with uuid ${id} found`
          throw badRequest(`Resource provider ${id} in inventories not found: ${why}`, codes.providerNotFound)
        }
        const { resource_provider_generation: generation } = given
        if (provider.generation !== generation) {
          const why = `actual: ${provider.generation}, given: ${generation}`
          throw conflict(`resource provider generation conflict for provider ${id}: ${why}`, codes.concurrentUpdate)
        }
        stocks.set(id, new Map(Object.entries(given.inventories).map(([name, each]) => [name, inventoryOf(each)])))
      }
      const wanted = Object.entries(body.allocations).map(([consumer, each]) => wantedOf(consumer, each))
      await reshape(trx, stocks, wanted, clock.now())
    })
    return reply.code(204).send()
  })
}
