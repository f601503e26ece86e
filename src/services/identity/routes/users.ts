import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as groupRows from '../db/groups.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from '../logic/deps.ts'
import { projectsOf } from '../logic/effective-roles.ts'
import { TooManyFailures } from '../logic/failures.ts'
import { badRequest, must } from '../logic/refusals.ts'
import * as users from '../logic/users.ts'
import { expiryFilters, groupFilters, groupView, userFilters, userView } from './people-views.ts'
import { projectView } from './project-views.ts'
import { ownDomain, ownDomainOnly, targetOf } from './scopes.ts'
import { extraOf, isTrue, listed, mergeOptions, Name, OptionalId, pageOf, queryOf, sameId } from './shapes.ts'
import { UserOptions } from './user-options.ts'

const known = ['name', 'domain_id', 'enabled', 'password', 'default_project_id', 'options', 'password_expires_at']
const Password = Type.String({ maxLength: 4096 })
const shape = {
  enabled: Type.Optional(Type.Boolean()),
  password: Type.Optional(Type.Union([Password, Type.Null()])),
  default_project_id: Type.Optional(OptionalId),
  domain_id: Type.Optional(OptionalId),
  options: Type.Optional(UserOptions),
}
const NewUser = Type.Object({ ...shape, name: Name(255) })
const UserChange = Type.Object({ ...shape, name: Type.Optional(Name(255)) })

/** Source: Identity API reference, "Users". */
export function userRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const params = Type.Object({ id: Type.String() })
  const rule = (name: string) => ({ policy: `identity:${name}`, check: 'handler' }) as const

  app.get('/v3/users', { config: rule('list_users') }, async (request) => {
    request.enforce({ 'target.domain_id': request.ctx.domainId })
    const page = pageOf(request, userFilters, [...ownDomainOnly(request.ctx), ...expiryFilters(request)])
    return listed(request, 'users', await userRows.list(db, page), userView(request))
  })

  app.post(
    '/v3/users',
    { config: rule('create_user'), schema: { body: Type.Object({ user: NewUser }) } },
    async (request, reply) => {
      const wanted = request.body.user
      const domainId = wanted.domain_id ?? ownDomain(request.ctx)
      request.enforce({ 'target.user.domain_id': domainId })
      const user = await users.create(deps, {
        id: newHexId(),
        domainId,
        name: wanted.name,
        enabled: wanted.enabled ?? true,
        password: wanted.password ?? null,
        defaultProjectId: wanted.default_project_id ?? null,
        options: mergeOptions({}, wanted.options),
        extra: extraOf(wanted, known),
      })
      return reply.code(201).send({ user: userView(request)(user) })
    },
  )

  /** The user of the path, once the caller may do this with them. */
  const permitted = async (request: FastifyRequest, id: string) => {
    const user = await userRows.find(db, id)
    request.enforce({ ...targetOf('user', user), user_id: id })
    return must(user, 'user', id)
  }

  app.get('/v3/users/:id', { config: rule('get_user'), schema: { params } }, async (request) => ({
    user: userView(request)(await permitted(request, request.params.id)),
  }))

  app.patch(
    '/v3/users/:id',
    { config: rule('update_user'), schema: { params, body: Type.Object({ user: UserChange }) } },
    async (request) => {
      const was = await permitted(request, request.params.id)
      const { name, enabled, password, default_project_id, domain_id, options, ...rest } = request.body.user
      sameId(rest, was.id, 'User')
      if (domain_id !== undefined && domain_id !== was.domainId) throw badRequest('Cannot change Domain ID')
      const user = await users.update(deps, was.id, {
        ...(name === undefined ? {} : { name }),
        ...(enabled === undefined ? {} : { enabled }),
        ...(password === undefined ? {} : { password }),
        ...(default_project_id === undefined ? {} : { defaultProjectId: default_project_id }),
        options: mergeOptions(was.options, options),
        extra: { ...was.extra, ...extraOf(rest, known) },
      })
      return { user: userView(request)(user) }
    },
  )

  app.delete('/v3/users/:id', { config: rule('delete_user'), schema: { params } }, async (request, reply) => {
    const { id } = await permitted(request, request.params.id)
    await users.remove(deps, id)
    return reply.code(204).send()
  })

  const Passwords = Type.Object({ user: Type.Object({ original_password: Password, password: Password }) })
  app.post(
    '/v3/users/:id/password',
    { config: { policy: 'public' }, schema: { params, body: Passwords } },
    async (request, reply) => {
      const { original_password, password } = request.body.user
      try {
        const passwords = { original: original_password, next: password }
        await users.changePassword(deps, request.params.id, passwords, request.ip)
      } catch (error) {
        if (error instanceof TooManyFailures) reply.header('retry-after', error.retryAfterSeconds)
        throw error
      }
      return reply.code(204).send()
    },
  )

  app.get('/v3/users/:id/projects', { config: rule('list_user_projects'), schema: { params } }, async (request) => {
    const { id } = await permitted(request, request.params.id)
    const { enabled, name, domain_id } = queryOf(request)
    const found = (await projectsOf(db, id)).filter(
      (project) =>
        (enabled === undefined || project.enabled === isTrue(enabled)) &&
        (name === undefined || project.name === name) &&
        (domain_id === undefined || project.domainId === domain_id),
    )
    return listed(request, 'projects', found, projectView(request))
  })

  app.get('/v3/users/:id/groups', { config: rule('list_groups_for_user'), schema: { params } }, async (request) => {
    const { id } = await permitted(request, request.params.id)
    const page = pageOf(request, groupFilters, ownDomainOnly(request.ctx))
    const found = await groupRows.listOfUser(db, id, page)
    return listed(request, 'groups', found, groupView(request))
  })
}
