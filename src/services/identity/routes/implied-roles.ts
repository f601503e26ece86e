import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import * as roleRows from '../db/roles.ts'
import type { Deps } from '../logic/deps.ts'
import { must } from '../logic/refusals.ts'
import * as roles from '../logic/roles.ts'
import { selfLink } from './shapes.ts'

const summary = (request: FastifyRequest) => (role: roles.Role) => ({
  id: role.id,
  name: role.name,
  links: selfLink(request, `roles/${role.id}`),
})

/** Source: Identity API reference, "Roles: implied roles". */
export function impliedRoleRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const params = Type.Object({ prior: Type.String(), implied: Type.String() })
  const path = '/v3/roles/:prior/implies/:implied'

  const view = (request: FastifyRequest, prior: roles.Role, implied: roles.Role) => ({
    role_inference: { prior_role: summary(request)(prior), implies: summary(request)(implied) },
    links: { self: `${baseUrl(request)}${request.url}` },
  })
  const pair = async (priorId: string, impliedId: string): Promise<[roles.Role, roles.Role]> => {
    const prior = must(await roleRows.find(db, priorId), 'role', priorId)
    const implied = must(await roleRows.find(db, impliedId), 'role', impliedId)
    if (!(await roleRows.implications(db)).get(priorId)?.includes(impliedId)) throw roles.notImplied(priorId, impliedId)
    return [prior, implied]
  }

  app.get('/v3/role_inferences', { config: { policy: 'identity:list_role_inference_rules' } }, async (request) => {
    const implications = await roleRows.implications(db)
    const all = await roleRows.findAll(db, [...new Set([...implications].flatMap(([id, ids]) => [id, ...ids]))])
    const byId = new Map(all.map((role) => [role.id, summary(request)(role)]))
    return {
      role_inferences: [...implications].map(([id, ids]) => ({
        prior_role: byId.get(id),
        implies: ids.map((implied) => byId.get(implied)),
      })),
      links: selfLink(request, 'role_inferences'),
    }
  })

  app.get(
    '/v3/roles/:prior/implies',
    { config: { policy: 'identity:list_implied_roles' }, schema: { params: Type.Object({ prior: Type.String() }) } },
    async (request) => {
      const prior = must(await roleRows.find(db, request.params.prior), 'role', request.params.prior)
      const implied = await roleRows.findAll(db, (await roleRows.implications(db)).get(prior.id) ?? [])
      return {
        role_inference: { prior_role: summary(request)(prior), implies: implied.map(summary(request)) },
        links: { self: `${baseUrl(request)}${request.url}` },
      }
    },
  )

  app.put(path, { config: { policy: 'identity:create_implied_role' }, schema: { params } }, async (request, reply) => {
    const [prior, implied] = await roles.imply(deps, request.params.prior, request.params.implied)
    return reply.code(201).send(view(request, prior, implied))
  })
  app.head(path, { config: { policy: 'identity:check_implied_role' }, schema: { params } }, async (request, reply) => {
    await pair(request.params.prior, request.params.implied)
    return reply.code(204).send()
  })
  app.get(
    path,
    { config: { policy: 'identity:get_implied_role' }, schema: { params }, exposeHeadRoute: false },
    async (request) => view(request, ...(await pair(request.params.prior, request.params.implied))),
  )
  app.delete(
    path,
    { config: { policy: 'identity:delete_implied_role' }, schema: { params } },
    async (request, reply) => {
      await roles.implyNoMore(deps, request.params.prior, request.params.implied)
      return reply.code(204).send()
    },
  )
}
