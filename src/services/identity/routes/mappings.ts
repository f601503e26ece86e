import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { messageOf } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as mappingRows from '../db/mappings.ts'
import type { Deps } from '../logic/deps.ts'
import { badRequest, conflict, must, notFound } from '../logic/refusals.ts'
import { listed, selfLink } from './shapes.ts'

const strict = { additionalProperties: false }
const MappedDomain = Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) }, strict)
const Local = Type.Object(
  {
    user: Type.Optional(
      Type.Object(
        {
          id: Type.Optional(Type.String()),
          name: Type.Optional(Type.String()),
          email: Type.Optional(Type.String()),
          domain: Type.Optional(MappedDomain),
          type: Type.Optional(Type.Union([Type.Literal('ephemeral'), Type.Literal('local')])),
        },
        strict,
      ),
    ),
    projects: Type.Optional(
      Type.Array(
        Type.Object({ name: Type.String(), roles: Type.Array(Type.Object({ name: Type.String() }, strict)) }, strict),
      ),
    ),
    group: Type.Optional(
      Type.Union([
        Type.Object({ id: Type.String() }, strict),
        Type.Object({ name: Type.String(), domain: MappedDomain }, strict),
      ]),
    ),
    groups: Type.Optional(Type.String()),
    group_ids: Type.Optional(Type.String()),
    domain: Type.Optional(MappedDomain),
  },
  strict,
)
/** What a remote rule may ask for besides the attribute itself: one of these. */
const conditions = ['any_one_of', 'not_any_of', 'blacklist', 'whitelist'] as const
const Remote = Type.Object(
  {
    type: Type.String(),
    any_one_of: Type.Optional(Type.Array(Type.String())),
    not_any_of: Type.Optional(Type.Array(Type.String())),
    blacklist: Type.Optional(Type.Array(Type.String())),
    whitelist: Type.Optional(Type.Array(Type.String())),
    regex: Type.Optional(Type.Boolean()),
  },
  strict,
)
const Rules = Type.Array(
  Type.Object({ local: Type.Array(Local), remote: Type.Array(Remote, { minItems: 1 }) }, strict),
  { minItems: 1 },
)
const Body = Type.Object({ mapping: Type.Object({ rules: Rules }) })

/** What the shape alone does not say. */
function checkRules(rules: Static<typeof Rules>): void {
  for (const { remote } of rules)
    for (const each of remote) {
      const said = conditions.filter((condition) => each[condition] !== undefined)
      if (said.length > 1) throw badRequest(`Remote rule '${each.type}' has both ${said.join(' and ')}.`)
      if (each.regex === undefined) continue
      if (said.length === 0) throw badRequest(`Remote rule '${each.type}' has regex and nothing to compare with.`)
      for (const pattern of each.regex ? each[said[0]!]! : [])
        try {
          new RegExp(pattern)
        } catch (error) {
          throw badRequest(`Remote rule '${each.type}': ${messageOf(error)}`)
        }
    }
}

const view = (request: FastifyRequest) => (mapping: mappingRows.Mapping) => ({
  ...mapping,
  links: selfLink(request, `OS-FEDERATION/mappings/${mapping.id}`),
})

/** Source: Identity API reference, "OS-FEDERATION: mappings". */
export function mappingRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const params = Type.Object({ id: Type.String() })
  const url = '/v3/OS-FEDERATION/mappings'

  app.get(url, { config: { policy: 'identity:list_mappings' } }, async (request) =>
    listed(request, 'mappings', await mappingRows.list(db), view(request)),
  )

  app.get(`${url}/:id`, { config: { policy: 'identity:get_mapping' }, schema: { params } }, async (request) => {
    const { id } = request.params
    return { mapping: view(request)(must(await mappingRows.find(db, id), 'mapping', id)) }
  })

  app.put(
    `${url}/:id`,
    {
      config: { policy: 'identity:create_mapping' },
      schema: { params: Type.Object({ id: Type.String({ maxLength: 64 }) }), body: Body },
    },
    async (request, reply) => {
      const mapping = { id: request.params.id, rules: request.body.mapping.rules }
      checkRules(mapping.rules)
      if (!(await database.write((trx) => mappingRows.insert(trx, mapping))))
        throw conflict('mapping', `Duplicate entry found with ID ${mapping.id}`)
      return reply.code(201).send({ mapping: view(request)(mapping) })
    },
  )

  app.patch(
    `${url}/:id`,
    { config: { policy: 'identity:update_mapping' }, schema: { params, body: Body } },
    async (request) => {
      const mapping = { id: request.params.id, rules: request.body.mapping.rules }
      checkRules(mapping.rules)
      if (!(await database.write((trx) => mappingRows.update(trx, mapping)))) throw notFound('mapping', mapping.id)
      return { mapping: view(request)(mapping) }
    },
  )

  app.delete(
    `${url}/:id`,
    { config: { policy: 'identity:delete_mapping' }, schema: { params } },
    async (request, reply) => {
      const { id } = request.params
      if (!(await database.write((trx) => mappingRows.remove(trx, id)))) throw notFound('mapping', id)
      return reply.code(204).send()
    },
  )
}
