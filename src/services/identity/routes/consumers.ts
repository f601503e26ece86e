import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as oauthRows from '../db/oauth.ts'
import type { Deps } from '../logic/deps.ts'
import { badRequest, must } from '../logic/refusals.ts'
import { writeRevoking } from '../logic/revoking.ts'
import { extraOf, listed, pageOf, sameId, selfLink, Text } from './shapes.ts'

const known = ['description', 'secret']
const Consumer = Type.Object({ description: Type.Optional(Text) })

const view = (request: FastifyRequest) => (consumer: oauthRows.Consumer) => ({
  ...consumer.extra,
  id: consumer.id,
  description: consumer.description,
  links: selfLink(request, `OS-OAUTH1/consumers/${consumer.id}`),
})

/** Source: Identity API reference, "OS-OAUTH1 API", consumers. */
export function consumerRoutes(app: App, deps: Deps): void {
  const { database, secretBox } = deps
  const db = database.read
  const params = Type.Object({ id: Type.String() })
  const url = '/v3/OS-OAUTH1/consumers'

  app.get(url, { config: { policy: 'identity:list_consumers' } }, async (request) =>
    listed(request, 'consumers', await oauthRows.listConsumers(db, pageOf(request, {})), view(request)),
  )

  app.post(
    url,
    { config: { policy: 'identity:create_consumer' }, schema: { body: Type.Object({ consumer: Consumer }) } },
    async (request, reply) => {
      const wanted = request.body.consumer
      const id = newHexId()
      const secret = newHexId()
      const consumer = {
        id,
        sealed: secretBox.seal(secret, id),
        description: wanted.description ?? null,
        extra: extraOf(wanted, known),
      }
      await database.write((trx) => oauthRows.insertConsumer(trx, consumer))
      return reply.code(201).send({ consumer: { ...view(request)(consumer), secret } }) // shown this once
    },
  )

  app.get(`${url}/:id`, { config: { policy: 'identity:get_consumer' }, schema: { params } }, async (request) => {
    const { id } = request.params
    return { consumer: view(request)(must(await oauthRows.findConsumer(db, id), 'consumer', id)) }
  })

  app.patch(
    `${url}/:id`,
    { config: { policy: 'identity:update_consumer' }, schema: { params, body: Type.Object({ consumer: Consumer }) } },
    async (request) => {
      const { id } = request.params
      const { description, ...rest } = request.body.consumer
      if ('secret' in rest) throw badRequest("A consumer's secret cannot be changed.")
      sameId(rest, id, 'Consumer')
      const consumer = await database.write(async (trx) => {
        const was = must(await oauthRows.findConsumer(trx, id), 'consumer', id)
        const now = {
          ...was,
          ...(description === undefined ? {} : { description }),
          extra: { ...was.extra, ...extraOf(rest, known) },
        }
        await oauthRows.updateConsumer(trx, now)
        return now
      })
      return { consumer: view(request)(consumer) }
    },
  )

  app.delete(
    `${url}/:id`,
    { config: { policy: 'identity:delete_consumer' }, schema: { params } },
    async (request, reply) => {
      const { id } = request.params
      await writeRevoking(deps, async (trx, revoke) => {
        must(await oauthRows.findConsumer(trx, id), 'consumer', id)
        for (const token of await oauthRows.listAccessOf(trx, { consumerId: id }))
          revoke({ scope: `oauth1:${token.id}` })
        await oauthRows.removeConsumer(trx, id)
      })
      return reply.code(204).send()
    },
  )
}
