import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as roleRows from '../db/roles.ts'
import type { Deps } from '../logic/deps.ts'
import { badRequest, must } from '../logic/refusals.ts'
import * as roles from '../logic/roles.ts'
import { targetOf } from './scopes.ts'
import {
  extraOf,
  Immutable,
  listed,
  mergeOptions,
  Name,
  OptionalId,
  pageOf,
  queryOf,
  sameId,
  selfLink,
  Text,
} from './shapes.ts'

const known = ['name', 'domain_id', 'description', 'options']
const shape = {
  description: Type.Optional(Text),
  domain_id: Type.Optional(OptionalId),
  options: Type.Optional(Immutable),
}
const NewRole = Type.Object({ ...shape, name: Name(255) })
const RoleChange = Type.Object({ ...shape, name: Type.Optional(Name(255)) })

export const roleView = (request: FastifyRequest) => (role: roles.Role) => ({
  ...role.extra,
  id: role.id,
  name: role.name,
  domain_id: role.domainId,
  description: role.description,
  options: role.options,
  links: selfLink(request, `roles/${role.id}`),
})

/** Source: Identity API reference, "Roles". */
export function roleRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const params = Type.Object({ id: Type.String() })
  const rule = (name: string) => ({ policy: `identity:${name}`, check: 'handler' }) as const

  app.get('/v3/roles', { config: rule('list_roles') }, async (request) => {
    const { domain_id } = queryOf(request)
    request.enforce({}, domain_id === undefined ? 'identity:list_roles' : 'identity:list_domain_roles')
    const place = { column: 'domain_id', operator: 'equals', value: domain_id ?? '' } as const
    const found = await roleRows.list(db, pageOf(request, { name: { column: 'name' } }, [place]))
    return listed(request, 'roles', found, roleView(request))
  })

  app.post(
    '/v3/roles',
    { config: rule('create_role'), schema: { body: Type.Object({ role: NewRole }) } },
    async (request, reply) => {
      const wanted = request.body.role
      const domainId = wanted.domain_id ?? null
      request.enforce({}, domainId === null ? 'identity:create_role' : 'identity:create_domain_role')
      const role = await roles.create(deps, {
        id: newHexId(),
        domainId,
        name: wanted.name,
        description: wanted.description ?? null,
        options: mergeOptions({}, wanted.options),
        extra: extraOf(wanted, known),
      })
      return reply.code(201).send({ role: roleView(request)(role) })
    },
  )

  /**
   * The role of the path, once the caller may `verb` it; a domain's own role has rules of its own. That there is no such
   * role is no secret: as upstream, it is said before anything else.
   */
  const permitted = async (request: FastifyRequest, verb: string, id: string) => {
    const role = must(await roleRows.find(db, id), 'role', id)
    request.enforce(targetOf('role', role), `identity:${verb}_${role.domainId ? 'domain_role' : 'role'}`)
    return role
  }

  app.get('/v3/roles/:id', { config: rule('get_role'), schema: { params } }, async (request) => ({
    role: roleView(request)(await permitted(request, 'get', request.params.id)),
  }))

  app.patch(
    '/v3/roles/:id',
    { config: rule('update_role'), schema: { params, body: Type.Object({ role: RoleChange }) } },
    async (request) => {
      const was = await permitted(request, 'update', request.params.id)
      const { name, description, domain_id, options, ...rest } = request.body.role
      sameId(rest, was.id, 'Role')
      if (domain_id !== undefined && domain_id !== was.domainId) throw badRequest('Cannot change Domain ID')
      const role = await roles.update(deps, was.id, {
        ...(name === undefined ? {} : { name }),
        ...(description === undefined ? {} : { description }),
        options: mergeOptions(was.options, options),
        extra: { ...was.extra, ...extraOf(rest, known) },
      })
      return { role: roleView(request)(role) }
    },
  )

  app.delete('/v3/roles/:id', { config: rule('delete_role'), schema: { params } }, async (request, reply) => {
    const { id } = await permitted(request, 'delete', request.params.id)
    await roles.remove(deps, id)
    return reply.code(204).send()
  })
}
