import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { check } from '../../../platform/http/validation.ts'
import * as allocationRows from '../db/allocations.ts'
import * as rows from '../db/consumers.ts'
import * as providerRows from '../db/providers.ts'
import * as consumers from '../logic/consumers.ts'
import type { Deps } from '../logic/deps.ts'
import * as providers from '../logic/providers.ts'
import { badRequest, notFound } from '../logic/refusals.ts'
import {
  everyOneSchema,
  everySeveralSchema,
  type OneBody,
  oneBody,
  severalBody,
  wantedOf,
} from './allocation-bodies.ts'
import { dated, idParams, isUuid, latest, since } from './common.ts'

/** Source: Placement API reference, "Allocations". */
export function allocationRoutes(app: App, { database, clock }: Deps): void {
  const { read } = database
  const rule = (verb: string) => ({ policy: `placement:allocations:${verb}` })
  const schema = { params: Type.Object({ consumer: Type.String() }) }

  app.get('/allocations/:consumer', { config: rule('list'), schema }, async (request, reply) => {
    const found = await rows.allocationsOf(read, [request.params.consumer])
    const ids = [...new Set(found.map((row) => row.provider_id))]
    const generations = new Map(
      (ids.length > 0 ? await providerRows.list(read, ids) : []).map((row) => [row.id, row.generation]),
    )
    dated(request, reply, latest(found.map((row) => row.created_at)))
    const [first] = found
    return {
      allocations: Object.fromEntries(
        ids.map((id) => [
          id,
          {
            resources: amounts(found.filter((row) => row.provider_id === id)),
            generation: generations.get(id) ?? 0,
          },
        ]),
      ),
      ...(first && since(request, '1.12') ? { project_id: first.project_id, user_id: first.user_id } : {}),
      ...(first && since(request, '1.28') ? { consumer_generation: first.consumer_generation } : {}),
      ...(first && since(request, '1.38') ? { consumer_type: first.consumer_type ?? 'unknown' } : {}),
    }
  })

  app.put(
    '/allocations/:consumer',
    { config: { ...rule('update'), bodies: everyOneSchema }, schema },
    async (request, reply) => {
      const { consumer } = request.params
      if (!isUuid(consumer)) throw badRequest(`Malformed consumer_uuid: ${consumer}`)
      const body = check<OneBody>(oneBody(request), request.body)
      await database.write((trx) => consumers.replace(trx, [wantedOf(consumer, body)], clock.now()))
      return reply.code(204).send()
    },
  )

  app.delete('/allocations/:consumer', { config: rule('delete'), schema }, async (request, reply) => {
    const { consumer } = request.params
    await database.write(async (trx) => {
      if ((await rows.allocationsOf(trx, [consumer])).length === 0) {
        throw notFound(`No allocations for consumer '${consumer}'`)
      }
      await allocationRows.remove(trx, consumer)
    })
    return reply.code(204).send()
  })

  app.post(
    '/allocations',
    { config: { ...rule('manage'), since: '1.13', bodies: everySeveralSchema } },
    async (request, reply) => {
      const body = check<Record<string, OneBody>>(severalBody(request), request.body)
      const wanted = Object.entries(body).map(([consumer, each]) => wantedOf(consumer, each))
      await database.write((trx) => consumers.replace(trx, wanted, clock.now()))
      return reply.code(204).send()
    },
  )

  app.get(
    '/resource_providers/:id/allocations',
    { config: { policy: 'placement:resource_providers:allocations:list' }, schema: { params: idParams } },
    async (request, reply) => {
      const provider = await providers.get(read, request.params.id)
      const found = await rows.allocationsOn(read, provider.id)
      dated(request, reply, latest(found.map((row) => row.created_at)))
      const byConsumer = [...Map.groupBy(found, (row) => row.consumer_id)]
      return {
        allocations: Object.fromEntries(
          byConsumer.map(([id, of]) => [
            id,
            {
              resources: amounts(of),
              ...(since(request, '1.28') ? { consumer_generation: of[0]!.consumer_generation } : {}),
            },
          ]),
        ),
        resource_provider_generation: provider.generation,
      }
    },
  )
}

const amounts = (of: readonly rows.AllocationRow[]): Record<string, number> =>
  Object.fromEntries(of.map((row) => [row.resource_class, row.used]))
