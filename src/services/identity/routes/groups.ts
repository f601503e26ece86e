import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as groupRows from '../db/groups.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from '../logic/deps.ts'
import * as groups from '../logic/groups.ts'
import { badRequest, must } from '../logic/refusals.ts'
import { expiryFilters, groupFilters, groupView, userFilters, userView } from './people-views.ts'
import { ownDomain, ownDomainOnly, targetOf } from './scopes.ts'
import { extraOf, listed, Name, OptionalId, pageOf, sameId, Text } from './shapes.ts'

const known = ['name', 'domain_id', 'description']
const shape = { description: Type.Optional(Text), domain_id: Type.Optional(OptionalId) }
const NewGroup = Type.Object({ ...shape, name: Name(64) })
const GroupChange = Type.Object({ ...shape, name: Type.Optional(Name(64)) })

/** Source: Identity API reference, "Groups". */
export function groupRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const params = Type.Object({ id: Type.String() })
  const memberParams = Type.Object({ id: Type.String(), userId: Type.String() })
  const rule = (name: string) => ({ policy: `identity:${name}`, check: 'handler' }) as const

  app.get('/v3/groups', { config: rule('list_groups') }, async (request) => {
    request.enforce({ 'target.group.domain_id': request.ctx.domainId })
    const page = pageOf(request, groupFilters, ownDomainOnly(request.ctx))
    return listed(request, 'groups', await groupRows.list(db, page), groupView(request))
  })

  app.post(
    '/v3/groups',
    { config: rule('create_group'), schema: { body: Type.Object({ group: NewGroup }) } },
    async (request, reply) => {
      const wanted = request.body.group
      const domainId = wanted.domain_id ?? ownDomain(request.ctx)
      request.enforce({ 'target.group.domain_id': domainId })
      const group = await groups.create(deps, {
        id: newHexId(),
        domainId,
        name: wanted.name,
        description: wanted.description ?? '',
        extra: extraOf(wanted, known),
      })
      return reply.code(201).send({ group: groupView(request)(group) })
    },
  )

  /** The group of the path, once the caller may do this with it (and with the user). */
  const permitted = async (request: FastifyRequest, id: string, userId?: string) => {
    const group = await groupRows.find(db, id)
    const user = userId === undefined ? undefined : await userRows.find(db, userId)
    request.enforce({ ...targetOf('group', group), ...targetOf('user', user) })
    if (userId !== undefined) must(user, 'user', userId)
    return must(group, 'group', id)
  }

  app.get('/v3/groups/:id', { config: rule('get_group'), schema: { params } }, async (request) => ({
    group: groupView(request)(await permitted(request, request.params.id)),
  }))

  app.patch(
    '/v3/groups/:id',
    { config: rule('update_group'), schema: { params, body: Type.Object({ group: GroupChange }) } },
    async (request) => {
      const was = await permitted(request, request.params.id)
      const { name, description, domain_id, ...rest } = request.body.group
      sameId(rest, was.id, 'Group')
      if (domain_id !== undefined && domain_id !== was.domainId) throw badRequest('Cannot change Domain ID')
      const group = await groups.update(deps, was.id, {
        ...(name === undefined ? {} : { name }),
        ...(description === undefined ? {} : { description: description ?? '' }),
        extra: { ...was.extra, ...extraOf(rest, known) },
      })
      return { group: groupView(request)(group) }
    },
  )

  app.delete('/v3/groups/:id', { config: rule('delete_group'), schema: { params } }, async (request, reply) => {
    must(await groupRows.find(db, request.params.id), 'group', request.params.id) // as upstream, before who may
    const { id } = await permitted(request, request.params.id)
    await groups.remove(deps, id)
    return reply.code(204).send()
  })

  app.get('/v3/groups/:id/users', { config: rule('list_users_in_group'), schema: { params } }, async (request) => {
    const { id } = await permitted(request, request.params.id)
    const page = pageOf(request, userFilters, [...ownDomainOnly(request.ctx), ...expiryFilters(request)])
    const found = await userRows.listInGroup(db, id, page)
    return listed(request, 'users', found, userView(request))
  })

  const member = '/v3/groups/:id/users/:userId'
  const schema = { params: memberParams }
  app.put(member, { config: rule('add_user_to_group'), schema }, async (request, reply) => {
    const { id, userId } = request.params
    await permitted(request, id, userId)
    await groups.addMember(deps, id, userId)
    return reply.code(204).send()
  })
  app.get(member, { config: rule('check_user_in_group'), schema }, async (request, reply) => {
    const { id, userId } = request.params
    await permitted(request, id, userId)
    if (!(await groupRows.isMember(db, id, userId))) throw groups.notInGroup(id, userId)
    return reply.code(204).send()
  })
  app.delete(member, { config: rule('remove_user_from_group'), schema }, async (request, reply) => {
    const { id, userId } = request.params
    await permitted(request, id, userId)
    await groups.removeMember(deps, id, userId)
    return reply.code(204).send()
  })
}
