import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import * as idpRows from '../db/identity-providers.ts'
import type { Deps } from '../logic/deps.ts'
import * as providers from '../logic/identity-providers.ts'
import { must } from '../logic/refusals.ts'
import { listed, OptionalId, pageOf, selfLink, Text } from './shapes.ts'

const shape = {
  enabled: Type.Optional(Type.Boolean()),
  description: Type.Optional(Text),
  authorization_ttl: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 0x7fffffff }), Type.Null()])),
  remote_ids: Type.Optional(
    Type.Union([Type.Array(Type.String({ maxLength: 255 }), { uniqueItems: true }), Type.Null()]),
  ),
}
const NewProvider = Type.Object({ ...shape, domain_id: Type.Optional(OptionalId) }, { additionalProperties: false })
const ProviderChange = Type.Object(shape, { additionalProperties: false, minProperties: 1 })

const view = (request: FastifyRequest) => (idp: idpRows.IdentityProvider) => {
  const { self } = selfLink(request, `OS-FEDERATION/identity_providers/${idp.id}`)
  return {
    id: idp.id,
    enabled: idp.enabled,
    description: idp.description,
    domain_id: idp.domainId,
    remote_ids: idp.remoteIds,
    authorization_ttl: idp.authorizationTtl,
    links: { self, protocols: `${self}/protocols` },
  }
}

/** Source: Identity API reference, "OS-FEDERATION: identity providers". */
export function identityProviderRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const params = Type.Object({ id: Type.String() })
  const url = '/v3/OS-FEDERATION/identity_providers'

  app.get(url, { config: { policy: 'identity:list_identity_providers' } }, async (request) => {
    const page = pageOf(request, { id: { column: 'id' }, enabled: { column: 'enabled', flag: true } })
    return listed(request, 'identity_providers', await idpRows.list(db, page), view(request))
  })

  app.get(
    `${url}/:id`,
    { config: { policy: 'identity:get_identity_provider' }, schema: { params } },
    async (request) => {
      const { id } = request.params
      return { identity_provider: view(request)(must(await idpRows.find(db, id), 'identity provider', id)) }
    },
  )

  app.put(
    `${url}/:id`,
    {
      config: { policy: 'identity:create_identity_provider' },
      schema: {
        params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
        body: Type.Object({ identity_provider: NewProvider }),
      },
    },
    async (request, reply) => {
      const wanted = request.body.identity_provider
      const idp = await providers.create(deps, {
        id: request.params.id,
        domainId: wanted.domain_id ?? null,
        enabled: wanted.enabled ?? false,
        description: wanted.description ?? null,
        authorizationTtl: wanted.authorization_ttl ?? null,
        remoteIds: wanted.remote_ids ?? [],
      })
      return reply.code(201).send({ identity_provider: view(request)(idp) })
    },
  )

  app.patch(
    `${url}/:id`,
    {
      config: { policy: 'identity:update_identity_provider' },
      schema: { params, body: Type.Object({ identity_provider: ProviderChange }) },
    },
    async (request) => {
      const { enabled, description, authorization_ttl, remote_ids } = request.body.identity_provider
      const idp = await providers.update(deps, request.params.id, {
        ...(enabled === undefined ? {} : { enabled }),
        ...(description === undefined ? {} : { description }),
        ...(authorization_ttl === undefined ? {} : { authorizationTtl: authorization_ttl }),
        ...(remote_ids === undefined ? {} : { remoteIds: remote_ids ?? [] }),
      })
      return { identity_provider: view(request)(idp) }
    },
  )

  app.delete(
    `${url}/:id`,
    { config: { policy: 'identity:delete_identity_provider' }, schema: { params } },
    async (request, reply) => {
      await providers.remove(deps, request.params.id)
      return reply.code(204).send()
    },
  )
}
