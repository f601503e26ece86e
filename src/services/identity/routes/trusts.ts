import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import * as roleRows from '../db/roles.ts'
import * as trustRows from '../db/trusts.ts'
import { refuseDelegatedTrusts } from '../logic/delegated.ts'
import type { Deps } from '../logic/deps.ts'
import { must } from '../logic/refusals.ts'
import { futureOf } from '../logic/times.ts'
import * as trusts from '../logic/trusts.ts'
import { roleView } from './roles.ts'
import { Id, listed, Name, OptionalId, pageOf, queryOf, selfLink, Text } from './shapes.ts'

const Whole = (minimum: number) => Type.Union([Type.Integer({ minimum }), Type.Null()])
const NewTrust = Type.Object({
  trustor_user_id: Id,
  trustee_user_id: Id,
  impersonation: Type.Boolean(),
  project_id: Type.Optional(OptionalId),
  remaining_uses: Type.Optional(Whole(1)),
  expires_at: Type.Optional(Text),
  allow_redelegation: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  redelegation_count: Type.Optional(Whole(0)),
  roles: Type.Optional(
    Type.Array(
      Type.Union([
        Type.Object({ id: Id }, { additionalProperties: false }),
        Type.Object({ name: Name(255) }, { additionalProperties: false }),
      ]),
    ),
  ),
})

const targetOf = ({ trustorId, trusteeId }: { trustorId?: string; trusteeId?: string }) => ({
  ...(trustorId === undefined ? {} : { 'target.trust.trustor_user_id': trustorId }),
  ...(trusteeId === undefined ? {} : { 'target.trust.trustee_user_id': trusteeId }),
})

/** As lists show it; one alone has its roles too. */
const summary = (request: FastifyRequest) => (trust: trusts.Trust) => ({
  id: trust.id,
  trustor_user_id: trust.trustorId,
  trustee_user_id: trust.trusteeId,
  project_id: trust.projectId,
  impersonation: trust.impersonation,
  expires_at: trust.expiresAt,
  deleted_at: null,
  remaining_uses: trust.remainingUses,
  redelegation_count: trust.redelegationCount,
  redelegated_trust_id: trust.redelegatedTrustId,
  links: selfLink(request, `OS-TRUST/trusts/${trust.id}`),
})

/** Source: Identity API reference, "OS-TRUST". */
export function trustRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const path = '/v3/OS-TRUST/trusts'
  const params = Type.Object({ id: Type.String() })
  const roleParams = Type.Object({ id: Type.String(), role: Type.String() })
  const rule = (name: string) => ({ policy: `identity:${name}`, check: 'handler' }) as const

  const rolesOf = async (request: FastifyRequest, trust: trusts.Trust) => ({
    roles: (await roleRows.findAll(db, trust.roleIds)).map(roleView(request)),
    links: { ...selfLink(request, `OS-TRUST/trusts/${trust.id}/roles`), next: null, previous: null },
  })
  const view = async (request: FastifyRequest, trust: trusts.Trust) => {
    const { roles, links } = await rolesOf(request, trust)
    return { trust: { ...summary(request)(trust), roles, roles_links: links } }
  }

  app.get(path, { config: rule('list_trusts') }, async (request) => {
    const { trustor_user_id: trustorId, trustee_user_id: trusteeId } = queryOf(request)
    if (trustorId) request.enforce(targetOf({ trustorId }), 'identity:list_trusts_for_trustor')
    else if (trusteeId) request.enforce(targetOf({ trusteeId }), 'identity:list_trusts_for_trustee')
    else request.enforce({})
    refuseDelegatedTrusts(request.ctx)
    const columns = {
      trustor_user_id: { column: 'trustor_user_id' },
      trustee_user_id: { column: 'trustee_user_id' },
    }
    return listed(request, 'trusts', await trustRows.list(db, pageOf(request, columns)), summary(request))
  })

  app.post(
    path,
    { config: rule('create_trust'), schema: { body: Type.Object({ trust: NewTrust }) } },
    async (request, reply) => {
      const wanted = request.body.trust
      request.enforce(targetOf({ trustorId: wanted.trustor_user_id }))
      refuseDelegatedTrusts(request.ctx)
      const trust = await trusts.create(deps, request.ctx, {
        trustorId: wanted.trustor_user_id,
        trusteeId: wanted.trustee_user_id,
        projectId: wanted.project_id ?? null,
        impersonation: wanted.impersonation,
        roles: wanted.roles ?? [],
        expiresAt: wanted.expires_at ? futureOf(wanted.expires_at, deps.clock.nowMs()) : null,
        remainingUses: wanted.remaining_uses ?? null,
        allowRedelegation: wanted.allow_redelegation ?? false,
        redelegationCount: wanted.redelegation_count ?? null,
      })
      return reply.code(201).send(await view(request, trust))
    },
  )

  /** The trust of the path, once the caller may do this with it; that there is none may everybody know. */
  const permitted = async (request: FastifyRequest, id: string) => {
    const trust = await trusts.get(db, id, deps.clock.now())
    request.enforce(targetOf(trust))
    refuseDelegatedTrusts(request.ctx)
    return trust
  }

  app.get(`${path}/:id`, { config: rule('get_trust'), schema: { params } }, async (request) =>
    view(request, await permitted(request, request.params.id)),
  )
  app.delete(`${path}/:id`, { config: rule('delete_trust'), schema: { params } }, async (request, reply) => {
    const { id } = await permitted(request, request.params.id)
    await trusts.remove(deps, id)
    return reply.code(204).send()
  })
  app.get(`${path}/:id/roles`, { config: rule('list_roles_for_trust'), schema: { params } }, async (request) =>
    rolesOf(request, await permitted(request, request.params.id)),
  )
  app.get(
    `${path}/:id/roles/:role`,
    { config: rule('get_role_for_trust'), schema: { params: roleParams } },
    async (request) => {
      const { roleIds } = await permitted(request, request.params.id)
      const { role } = request.params
      const found = roleIds.includes(role) ? await roleRows.find(db, role) : undefined
      return { role: roleView(request)(must(found, 'role', role)) }
    },
  )
}
