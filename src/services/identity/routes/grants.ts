import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import * as assignmentRows from '../db/assignments.ts'
import * as roleRows from '../db/roles.ts'
import type { Deps } from '../logic/deps.ts'
import * as grants from '../logic/grants.ts'
import { must } from '../logic/refusals.ts'
import { roleView } from './roles.ts'
import { targetOf } from './scopes.ts'
import { listed } from './shapes.ts'

const actorParams = Type.Object({ target: Type.Optional(Type.String()), actor: Type.String() })
const grantParams = Type.Object({ ...actorParams.properties, role: Type.String() })

/** Where grants of one kind are: `/v3/projects/:target/users/:actor/roles`, and the rules for them. */
interface Place {
  readonly targetKind: assignmentRows.Target['kind']
  readonly actorKind: assignmentRows.Actor['kind']
  readonly inherited: boolean
}

const places: readonly Place[] = (['user', 'group'] as const).flatMap((actorKind) => [
  { targetKind: 'system', actorKind, inherited: false },
  ...(['project', 'domain'] as const).flatMap((targetKind) =>
    [false, true].map((inherited) => ({ targetKind, actorKind, inherited })),
  ),
])

/** Source: Identity API reference, "Roles", "System role assignments" and "OS-INHERIT". */
export function grantRoutes(app: App, deps: Deps): void {
  for (const place of places) grantRoutesAt(app, deps, place)
}

function grantRoutesAt(app: App, deps: Deps, { targetKind, actorKind, inherited }: Place): void {
  const db = deps.database.read
  const root = targetKind === 'system' ? '/v3/system' : `/v3${inherited ? '/OS-INHERIT' : ''}/${targetKind}s/:target`
  const path = `${root}/${actorKind}s/:actor/roles`
  const suffix = inherited ? '/inherited_to_projects' : ''
  const rule = (verb: string) =>
    ({
      policy:
        targetKind === 'system'
          ? `identity:${verb.replace('grant', 'system_grant')}_for_${actorKind}`
          : `identity:${verb}`,
      check: 'handler',
    }) as const

  const grantOf = (params: { target?: string; actor: string; role: string }): grants.Grant => ({
    actor: { kind: actorKind, id: params.actor },
    target: targetKind === 'system' ? assignmentRows.theSystem : { kind: targetKind, id: params.target ?? '' },
    roleId: params.role,
    inherited,
  })
  /** What the grant ties together, once the caller may do this with it. */
  const permitted = async (request: FastifyRequest, grant: grants.Grant, withRole: boolean, forgiving = false) => {
    const found = await grants.parties(db, grant.actor, grant.target, withRole ? grant.roleId : undefined)
    const { user, group, project, domain, role } = found
    request.enforce({
      ...targetOf('user', user),
      ...targetOf('group', group),
      ...targetOf('project', project),
      ...targetOf('domain', domain),
      ...targetOf('role', role),
    })
    if (withRole) must(role, 'role', grant.roleId)
    grants.allThere(found, grant, forgiving)
  }

  app.get(`${path}${suffix}`, { config: rule('list_grants'), schema: { params: actorParams } }, async (request) => {
    const grant = grantOf({ ...request.params, role: '' })
    await permitted(request, grant, false)
    const { actor, target } = grant
    const found = await assignmentRows.list(db, { actors: [actor], targets: [target], inherited })
    const roles = await roleRows.findAll(
      db,
      found.map(({ roleId }) => roleId),
    )
    return listed(request, 'roles', roles, roleView(request))
  })

  const one = `${path}/:role${suffix}`
  app.get(one, { config: rule('check_grant'), schema: { params: grantParams } }, async (request, reply) => {
    const grant = grantOf(request.params)
    await permitted(request, grant, true)
    if (!(await grants.exists(db, grant))) throw grants.noSuchGrant(grant)
    return reply.code(204).send()
  })
  app.put(one, { config: rule('create_grant'), schema: { params: grantParams } }, async (request, reply) => {
    const grant = grantOf(request.params)
    await permitted(request, grant, true)
    await grants.add(deps, grant)
    return reply.code(204).send()
  })
  app.delete(one, { config: rule('revoke_grant'), schema: { params: grantParams } }, async (request, reply) => {
    const grant = grantOf(request.params)
    await permitted(request, grant, true, true)
    await grants.revoke(deps, grant)
    return reply.code(204).send()
  })
}
