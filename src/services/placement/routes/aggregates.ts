import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { check, compile } from '../../../platform/http/validation.ts'
import * as rows from '../db/providers.ts'
import type { Deps } from '../logic/deps.ts'
import * as providers from '../logic/providers.ts'
import { codes, conflict } from '../logic/refusals.ts'
import { dashed, dated, idParams, since, strict, Uuid } from './common.ts'

const Ids = Type.Array(Uuid, { uniqueItems: true })
const plain = compile(Ids, 'body')
const counted = compile(Type.Object({ aggregates: Ids, resource_provider_generation: Type.Integer() }, strict), 'body')

/** Source: Placement API reference, "Resource provider aggregates". */
export function aggregateRoutes(app: App, { database, clock }: Deps): void {
  const path = '/resource_providers/:id/aggregates'
  const rule = (verb: string) => ({ policy: `placement:resource_providers:aggregates:${verb}`, since: '1.1' })
  const schema = { params: idParams }

  app.get(path, { config: rule('list'), schema }, async (request, reply) => {
    const { id, generation } = await providers.get(database.read, request.params.id)
    const aggregates = (await rows.aggregates(database.read, [id])).get(id) ?? []
    dated(request, reply, null)
    return { aggregates, ...(since(request, '1.19') ? { resource_provider_generation: generation } : {}) }
  })

  app.put(
    path,
    { config: { ...rule('update'), bodies: () => [plain.schema, counted.schema] }, schema },
    async (request, reply) => {
      const { id } = await providers.get(database.read, request.params.id)
      const checksGeneration = since(request, '1.19')
      const body = checksGeneration
        ? check<{ aggregates: string[]; resource_provider_generation: number }>(counted, request.body)
        : { aggregates: check<string[]>(plain, request.body), resource_provider_generation: null }
      const aggregates = body.aggregates.map(dashed)
      const after = await database.write(async (trx) => {
        const before = await providers.get(trx, id)
        if (checksGeneration && before.generation !== body.resource_provider_generation) {
          const why = 'Please update the generation and try again.'
          throw conflict(`Resource provider's generation already changed. ${why}`, codes.concurrentUpdate)
        }
        await rows.setAggregates(trx, id, aggregates)
        if (checksGeneration) await rows.bump(trx, [id], clock.now())
        return await providers.get(trx, id)
      })
      dated(request, reply, null)
      return { aggregates, ...(checksGeneration ? { resource_provider_generation: after.generation } : {}) }
    },
  )
}
