import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as projectRows from '../db/projects.ts'
import type { Deps } from '../logic/deps.ts'
import * as projects from '../logic/projects.ts'
import { badRequest, must } from '../logic/refusals.ts'
import { Tags } from './project-tags.ts'
import { domainView } from './project-views.ts'
import { ownDomainOnly, targetOf } from './scopes.ts'
import { extraOf, Immutable, listed, mergeOptions, Name, pageOf, sameId, Text } from './shapes.ts'

const known = ['name', 'description', 'enabled', 'options', 'tags', 'explicit_domain_id']
const shape = {
  description: Type.Optional(Text),
  enabled: Type.Optional(Type.Boolean()),
  tags: Type.Optional(Tags),
  options: Type.Optional(Immutable),
}
const NewDomain = Type.Object({ ...shape, name: Name(64), explicit_domain_id: Type.Optional(Type.String()) })
const DomainChange = Type.Object({ ...shape, name: Type.Optional(Name(64)) })

const onlyDomains = { column: 'is_domain', operator: 'equals', value: 1 } as const
const filterable = { name: { column: 'name' }, enabled: { column: 'enabled', flag: true } } as const

/** Source: Identity API reference, "Domains". */
export function domainRoutes(app: App, deps: Deps): void {
  const db = deps.database.read

  const listing = { policy: 'identity:list_domains', check: 'handler' } as const
  app.get('/v3/domains', { config: listing }, async (request) => {
    request.enforce({ 'target.domain.id': request.ctx.domainId })
    const page = pageOf(request, filterable, [onlyDomains, ...ownDomainOnly(request.ctx, 'id')])
    return listed(request, 'domains', await projectRows.list(db, page), domainView(request))
  })

  app.post(
    '/v3/domains',
    { config: { policy: 'identity:create_domain' }, schema: { body: Type.Object({ domain: NewDomain }) } },
    async (request, reply) => {
      const wanted = request.body.domain
      if (wanted.explicit_domain_id !== undefined && !/^[0-9a-f]{32}$/.test(wanted.explicit_domain_id))
        throw badRequest('Domain ID does not conform to required UUID format.')
      const domain = await projects.create(deps, {
        id: wanted.explicit_domain_id ?? newHexId(),
        name: wanted.name,
        domainId: null,
        parentId: null,
        isDomain: true,
        enabled: wanted.enabled ?? true,
        description: wanted.description ?? '',
        tags: wanted.tags ?? [],
        options: mergeOptions({}, wanted.options),
        extra: extraOf(wanted, known),
      })
      return reply.code(201).send({ domain: domainView(request)(domain) })
    },
  )

  const one = { Params: Type.Object({ id: Type.String() }) }
  const showing = { policy: 'identity:get_domain', check: 'handler' } as const
  app.get('/v3/domains/:id', { config: showing, schema: { params: one.Params } }, async (request) => {
    const { id } = request.params
    const domain = await projects.find(db, 'domain', id)
    request.enforce(targetOf('domain', domain))
    return { domain: domainView(request)(must(domain, 'domain', id)) }
  })

  app.patch(
    '/v3/domains/:id',
    {
      config: { policy: 'identity:update_domain', check: 'handler' },
      schema: { params: one.Params, body: Type.Object({ domain: DomainChange }) },
    },
    async (request) => {
      const { id } = request.params
      const was = must(await projects.find(db, 'domain', id), 'domain', id) // first of all, as upstream
      request.enforce(targetOf('domain', was))
      const { name, description, enabled, tags, options, ...rest } = request.body.domain
      sameId(rest, id, 'Domain')
      const domain = await projects.update(deps, 'domain', id, {
        ...(name === undefined ? {} : { name }),
        ...(description === undefined ? {} : { description: description ?? '' }),
        ...(enabled === undefined ? {} : { enabled }),
        ...(tags === undefined ? {} : { tags }),
        options: mergeOptions(was.options, options),
        extra: { ...was.extra, ...extraOf(rest, known) },
      })
      return { domain: domainView(request)(domain) }
    },
  )

  app.delete(
    '/v3/domains/:id',
    { config: { policy: 'identity:delete_domain' }, schema: { params: one.Params } },
    async (request, reply) => {
      await projects.remove(deps, 'domain', request.params.id)
      return reply.code(204).send()
    },
  )
}
