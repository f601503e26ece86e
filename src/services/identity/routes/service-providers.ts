import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import * as providerRows from '../db/service-providers.ts'
import type { Deps } from '../logic/deps.ts'
import { conflict, must, notFound } from '../logic/refusals.ts'
import { listed, pageOf, selfLink, Text } from './shapes.ts'

const Url = Type.String({ maxLength: 225, pattern: '^[a-zA-Z0-9+.-]+:.+' })
const more = {
  description: Type.Optional(Text),
  enabled: Type.Optional(Type.Boolean()),
  relay_state_prefix: Type.Optional(Text),
}
const NewProvider = Type.Object({ auth_url: Url, sp_url: Url, ...more }, { additionalProperties: false })
const ProviderChange = Type.Partial(NewProvider, { additionalProperties: false, minProperties: 1 })

/** Keystone's default. */
const usualPrefix = 'ss:mem:'

const view = (request: FastifyRequest) => (provider: providerRows.ServiceProvider) => ({
  id: provider.id,
  auth_url: provider.authUrl,
  sp_url: provider.spUrl,
  description: provider.description,
  enabled: provider.enabled,
  relay_state_prefix: provider.relayStatePrefix,
  links: selfLink(request, `OS-FEDERATION/service_providers/${provider.id}`),
})

/** Source: Identity API reference, "OS-FEDERATION: service providers". */
export function serviceProviderRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const params = Type.Object({ id: Type.String() })
  const url = '/v3/OS-FEDERATION/service_providers'

  app.get(url, { config: { policy: 'identity:list_service_providers' } }, async (request) => {
    const page = pageOf(request, { id: { column: 'id' }, enabled: { column: 'enabled', flag: true } })
    return listed(request, 'service_providers', await providerRows.list(db, page), view(request))
  })

  app.get(
    `${url}/:id`,
    { config: { policy: 'identity:get_service_provider' }, schema: { params } },
    async (request) => {
      const { id } = request.params
      return { service_provider: view(request)(must(await providerRows.find(db, id), 'service provider', id)) }
    },
  )

  app.put(
    `${url}/:id`,
    {
      config: { policy: 'identity:create_service_provider' },
      schema: {
        params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
        body: Type.Object({ service_provider: NewProvider }),
      },
    },
    async (request, reply) => {
      const wanted = request.body.service_provider
      const provider = {
        id: request.params.id,
        authUrl: wanted.auth_url,
        spUrl: wanted.sp_url,
        description: wanted.description ?? null,
        enabled: wanted.enabled ?? false,
        relayStatePrefix: wanted.relay_state_prefix ?? usualPrefix,
      }
      if (!(await database.write((trx) => providerRows.insert(trx, provider))))
        throw conflict('service_provider', `Duplicate entry found with ID ${provider.id}`)
      return reply.code(201).send({ service_provider: view(request)(provider) })
    },
  )

  app.patch(
    `${url}/:id`,
    {
      config: { policy: 'identity:update_service_provider' },
      schema: { params, body: Type.Object({ service_provider: ProviderChange }) },
    },
    async (request) => {
      const { id } = request.params
      const wanted = request.body.service_provider
      const provider = await database.write(async (trx) => {
        const was = must(await providerRows.find(trx, id), 'service provider', id)
        const now = {
          id,
          authUrl: wanted.auth_url ?? was.authUrl,
          spUrl: wanted.sp_url ?? was.spUrl,
          description: wanted.description === undefined ? was.description : wanted.description,
          enabled: wanted.enabled ?? was.enabled,
          relayStatePrefix: wanted.relay_state_prefix ?? was.relayStatePrefix,
        }
        await providerRows.update(trx, now)
        return now
      })
      return { service_provider: view(request)(provider) }
    },
  )

  app.delete(
    `${url}/:id`,
    { config: { policy: 'identity:delete_service_provider' }, schema: { params } },
    async (request, reply) => {
      const { id } = request.params
      if (!(await database.write((trx) => providerRows.remove(trx, id)))) throw notFound('service provider', id)
      return reply.code(204).send()
    },
  )
}
