import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import * as protocolRows from '../db/federation-protocols.ts'
import * as idpRows from '../db/identity-providers.ts'
import type { Deps } from '../logic/deps.ts'
import * as providers from '../logic/identity-providers.ts'
import { must } from '../logic/refusals.ts'
import { listed, selfLink } from './shapes.ts'

const shape = {
  mapping_id: Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-zA-Z0-9_-]+$' }),
  remote_id_attribute: Type.Optional(Type.String({ maxLength: 64 })),
}
const NewProtocol = Type.Object(shape, { additionalProperties: false })
const ProtocolChange = Type.Partial(Type.Object(shape), { additionalProperties: false, minProperties: 1 })

const view = (request: FastifyRequest) => (protocol: protocolRows.Protocol) => {
  const provider = selfLink(request, `OS-FEDERATION/identity_providers/${protocol.idpId}`).self
  return {
    id: protocol.id,
    mapping_id: protocol.mappingId,
    remote_id_attribute: protocol.remoteIdAttribute,
    links: { self: `${provider}/protocols/${protocol.id}`, identity_provider: provider },
  }
}

/** Source: Identity API reference, "OS-FEDERATION: protocols". */
export function federationProtocolRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const url = '/v3/OS-FEDERATION/identity_providers/:idpId/protocols'
  const params = Type.Object({ idpId: Type.String(), id: Type.String() })

  app.get(
    url,
    { config: { policy: 'identity:list_protocols' }, schema: { params: Type.Object({ idpId: Type.String() }) } },
    async (request) => {
      const { idpId } = request.params
      must(await idpRows.find(db, idpId), 'identity provider', idpId)
      return listed(request, 'protocols', await protocolRows.listOf(db, idpId), view(request))
    },
  )

  app.get(`${url}/:id`, { config: { policy: 'identity:get_protocol' }, schema: { params } }, async (request) => {
    const { idpId, id } = request.params
    return { protocol: view(request)(must(await protocolRows.find(db, idpId, id), 'federated protocol', id)) }
  })

  app.put(
    `${url}/:id`,
    {
      config: { policy: 'identity:create_protocol' },
      schema: {
        params: Type.Object({ idpId: Type.String(), id: Type.String({ maxLength: 64 }) }),
        body: Type.Object({ protocol: NewProtocol }),
      },
    },
    async (request, reply) => {
      const { mapping_id, remote_id_attribute } = request.body.protocol
      const protocol = { ...request.params, mappingId: mapping_id, remoteIdAttribute: remote_id_attribute ?? null }
      await providers.addProtocol(deps, protocol)
      return reply.code(201).send({ protocol: view(request)(protocol) })
    },
  )

  app.patch(
    `${url}/:id`,
    {
      config: { policy: 'identity:update_protocol' },
      schema: { params, body: Type.Object({ protocol: ProtocolChange }) },
    },
    async (request) => {
      const { mapping_id, remote_id_attribute } = request.body.protocol
      const protocol = await providers.updateProtocol(deps, request.params, {
        ...(mapping_id === undefined ? {} : { mappingId: mapping_id }),
        ...(remote_id_attribute === undefined ? {} : { remoteIdAttribute: remote_id_attribute }),
      })
      return { protocol: view(request)(protocol) }
    },
  )

  app.delete(
    `${url}/:id`,
    { config: { policy: 'identity:delete_protocol' }, schema: { params } },
    async (request, reply) => {
      await providers.removeProtocol(deps, request.params.idpId, request.params.id)
      return reply.code(204).send()
    },
  )
}
