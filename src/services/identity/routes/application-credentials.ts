import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import * as accessRuleRows from '../db/access-rules.ts'
import * as credentialRows from '../db/application-credentials.ts'
import * as roleRows from '../db/roles.ts'
import * as credentials from '../logic/application-credentials.ts'
import { refuseDelegatedMaking } from '../logic/delegated.ts'
import type { Deps } from '../logic/deps.ts'
import { must } from '../logic/refusals.ts'
import { futureOf } from '../logic/times.ts'
import { Id, listed, Name, pageOf, selfLink, Text } from './shapes.ts'

const Role = Type.Union([
  Type.Object({ id: Id }, { additionalProperties: false }),
  Type.Object({ name: Name(255) }, { additionalProperties: false }),
])
const Rule = Type.Union([
  Type.Object(
    {
      service: Type.String({ minLength: 1, maxLength: 64 }),
      method: Type.String({ pattern: '^(POST|GET|HEAD|PATCH|PUT|DELETE)$' }),
      path: Type.String({ maxLength: 225, pattern: '^/' }),
    },
    { additionalProperties: false },
  ),
  Type.Object({ id: Id }, { additionalProperties: false }),
])
const NewCredential = Type.Object({
  name: Name(255),
  description: Type.Optional(Text),
  secret: Type.Optional(Type.Union([Type.String({ maxLength: 4096 }), Type.Null()])),
  expires_at: Type.Optional(Text),
  roles: Type.Optional(Type.Array(Role)),
  unrestricted: Type.Optional(Type.Boolean()),
  access_rules: Type.Optional(Type.Array(Rule)),
})

/** Source: Identity API reference, "Application credentials". */
export function applicationCredentialRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const path = '/v3/users/:user/application_credentials'
  const params = Type.Object({ user: Type.String() })
  const oneParams = Type.Object({ user: Type.String(), id: Type.String() })
  const rule = (name: string) => ({ policy: `identity:${name}`, check: 'handler' }) as const

  /** The views of a page, roles and access rules looked up together. */
  const viewsOf = async (request: FastifyRequest, found: readonly credentials.ApplicationCredential[]) => {
    const roles = await roleRows.findAll(db, [...new Set(found.flatMap(({ roleIds }) => roleIds))])
    const rules = await accessRuleRows.ofCredentials(
      db,
      found.map(({ id }) => id),
    )
    return (each: credentials.ApplicationCredential) => ({
      id: each.id,
      name: each.name,
      description: each.description,
      user_id: each.userId,
      project_id: each.projectId,
      expires_at: each.expiresAt?.replace(/Z$/, '') ?? null,
      unrestricted: each.unrestricted,
      roles: roles
        .filter(({ id }) => each.roleIds.includes(id))
        .map(({ id, name, domainId }) => ({ id, name, domain_id: domainId })),
      ...(rules.has(each.id) ? { access_rules: rules.get(each.id)?.map(ruleView) } : {}),
      links: selfLink(request, `users/${each.userId}/application_credentials/${each.id}`),
    })
  }
  const ruleView = ({ id, service, method, path }: accessRuleRows.AccessRule) => ({ id, service, method, path })

  app.get(path, { config: rule('list_application_credentials'), schema: { params } }, async (request) => {
    request.enforce({ user_id: request.params.user })
    refuseDelegatedMaking(request.ctx, false)
    const found = await credentialRows.list(db, request.params.user, pageOf(request, { name: { column: 'name' } }))
    return listed(request, 'application_credentials', found, await viewsOf(request, found))
  })

  app.post(
    path,
    {
      config: rule('create_application_credential'),
      schema: { params, body: Type.Object({ application_credential: NewCredential }) },
    },
    async (request, reply) => {
      const wanted = request.body.application_credential
      request.enforce({ user_id: request.params.user })
      refuseDelegatedMaking(request.ctx, true)
      const { credential, secret } = await credentials.create(deps, request.ctx, {
        name: wanted.name,
        description: wanted.description ?? null,
        secret: wanted.secret || null,
        expiresAt: wanted.expires_at ? futureOf(wanted.expires_at, deps.clock.nowMs()) : null,
        unrestricted: wanted.unrestricted ?? false,
        roles: wanted.roles ?? [],
        accessRules: wanted.access_rules ?? [],
      })
      const view = (await viewsOf(request, [credential]))(credential)
      return reply.code(201).send({ application_credential: { ...view, secret } })
    },
  )

  /** The credential of the path, once the caller may do this with it: what counts is whose it is, not the path. */
  const permitted = async (request: FastifyRequest, { user, id }: { user: string; id: string }, change: boolean) => {
    const found = await credentialRows.find(db, id)
    request.enforce({ user_id: found?.userId ?? user })
    refuseDelegatedMaking(request.ctx, change)
    return must(found, 'Application Credential', id)
  }

  const one = `${path}/:id`
  app.get(one, { config: rule('get_application_credential'), schema: { params: oneParams } }, async (request) => {
    const found = await permitted(request, request.params, false)
    return { application_credential: (await viewsOf(request, [found]))(found) }
  })
  app.delete(
    one,
    { config: rule('delete_application_credential'), schema: { params: oneParams } },
    async (request, reply) => {
      const { id } = await permitted(request, request.params, true)
      await credentials.remove(deps, id)
      return reply.code(204).send()
    },
  )
}
