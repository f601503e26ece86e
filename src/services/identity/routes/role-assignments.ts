import type { FastifyRequest } from 'fastify'
import type { Context } from '../../../platform/auth/context.ts'
import type { Db } from '../../../platform/db/database.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import * as assignmentRows from '../db/assignments.ts'
import * as projectRows from '../db/projects.ts'
import type { Deps } from '../logic/deps.ts'
import { badRequest } from '../logic/refusals.ts'
import { type Listed, list, type Wanted } from '../logic/role-assignments.ts'
import { type Names, namesOf } from './assignment-names.ts'
import { isTrue, queryOf } from './shapes.ts'

/** Source: Identity API reference, "List role assignments". */
export function roleAssignmentRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const config = { policy: 'identity:list_role_assignments', check: 'handler' } as const
  app.get('/v3/role_assignments', { config }, async (request) => {
    const query = queryOf(request)
    const projectId = query['scope.project.id']
    const subtree = isTrue(query.include_subtree)
    if (subtree) {
      const project = projectId ? await projectRows.find(db, projectId) : undefined
      const target = { 'target.domain_id': project?.domainId, 'target.project.id': project?.id }
      request.enforce(target, 'identity:list_role_assignments_for_tree')
      if (!projectId) throw badRequest('scope.project.id must be specified if include_subtree is also specified')
    } else request.enforce({ 'target.domain_id': request.ctx.domainId })

    const found = await ofDomain(db, request.ctx, await list(db, wantedOf(query, subtree)))
    const names = isTrue(query.include_names) ? await namesOf(db, found) : null
    return {
      role_assignments: found.map((each) => view(request, each, names)),
      links: { next: null, self: `${baseUrl(request)}${request.url}`, previous: null },
    }
  })
}

function wantedOf(query: Readonly<Record<string, string | undefined>>, subtree: boolean): Wanted {
  const projectId = query['scope.project.id']
  const domainId = query['scope.domain.id']
  const system = query['scope.system']
  const inheritedTo = query['scope.OS-INHERIT:inherited_to']
  const effective = isTrue(query.effective)
  const inherited = inheritedTo === undefined ? undefined : inheritedTo === 'projects'
  if (domainId && projectId) throw badRequest('Specify a domain or project, not both')
  if (domainId && system) throw badRequest('Specify system or domain, not both')
  if (projectId && system) throw badRequest('Specify system or project, not both')
  if (query['user.id'] && query['group.id']) throw badRequest('Specify a user or group, not both')
  if (effective && query['group.id'])
    throw badRequest('Combining effective and group filter will always result in an empty list.')
  if (effective && inherited && domainId)
    throw badRequest('Combining effective, domain and inherited filters will always result in an empty list.')
  const target: assignmentRows.Target | undefined = projectId
    ? { kind: 'project', id: projectId }
    : domainId
      ? { kind: 'domain', id: domainId }
      : system
        ? assignmentRows.theSystem
        : undefined
  return {
    userId: query['user.id'],
    groupId: query['group.id'],
    roleId: query['role.id'],
    target,
    inherited,
    effective,
    subtree,
  }
}

/** A caller whose token is for a domain sees the assignments in that domain. */
async function ofDomain(db: Db, ctx: Context, found: Listed[]): Promise<Listed[]> {
  if (ctx.domainId === null) return found
  const ids = [...new Set(found.flatMap(({ target }) => (target.kind === 'project' ? [target.id] : [])))]
  const projects = await projectRows.findAll(db, ids)
  const inside = new Set(projects.filter(({ domainId }) => domainId === ctx.domainId).map(({ id }) => id))
  return found.filter(({ target }) => target.id === ctx.domainId || inside.has(target.id))
}

function view(request: FastifyRequest, each: Listed, names: Names | null): object {
  const named = (kind: keyof Names, id: string) => ({ id, ...names?.[kind].get(id) })
  const { actor, target } = each
  const inherited = each.inherited || each.viaTarget !== undefined
  const scope = target.kind === 'system' ? { system: { all: true } } : { [target.kind]: named(target.kind, target.id) }
  const v3 = `${baseUrl(request)}/v3`
  return {
    scope: { ...scope, ...(inherited ? { 'OS-INHERIT:inherited_to': 'projects' } : {}) },
    [actor.kind]: named(actor.kind, actor.id),
    role: named('role', each.roleId),
    links: {
      assignment: `${v3}${grantPath(each, inherited)}`,
      ...(each.viaGroupId ? { membership: `${v3}/groups/${each.viaGroupId}/users/${actor.id}` } : {}),
      ...(each.priorRoleId ? { prior_role: `${v3}/prior_role/${each.priorRoleId}/implies/${each.roleId}` } : {}),
    },
  }
}

/** Where the grant is that this comes from. */
function grantPath({ actor, target, viaGroupId, viaTarget, priorRoleId, roleId }: Listed, inherited: boolean): string {
  const at = viaTarget ?? target
  const place = at.kind === 'system' ? '/system' : `/${at.kind}s/${at.id}`
  const who = viaGroupId ? `groups/${viaGroupId}` : `${actor.kind}s/${actor.id}`
  const path = `${place}/${who}/roles/${priorRoleId ?? roleId}`
  return inherited ? `/OS-INHERIT${path}/inherited_to_projects` : path
}
