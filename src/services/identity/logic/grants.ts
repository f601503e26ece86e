import type { Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as applicationCredentialRows from '../db/application-credentials.ts'
import * as assignmentRows from '../db/assignments.ts'
import * as groupRows from '../db/groups.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from './deps.ts'
import { withImplied } from './effective-roles.ts'
import { forbidden, must } from './refusals.ts'
import { writeRevoking } from './revoking.ts'

export type Grant = assignmentRows.Assignment

/** What a grant ties together; undefined where it does not exist. */
export interface Parties {
  readonly user?: userRows.User | undefined
  readonly group?: groupRows.Group | undefined
  readonly project?: projectRows.Project | undefined
  readonly domain?: projectRows.Project | undefined
  readonly role?: roleRows.Role | undefined
}

export async function parties(
  db: Db,
  actor: assignmentRows.Actor,
  target: assignmentRows.Target,
  roleId?: string,
): Promise<Parties> {
  const found = target.kind === 'system' ? undefined : await projectRows.find(db, target.id)
  return {
    ...(actor.kind === 'user'
      ? { user: await userRows.find(db, actor.id) }
      : { group: await groupRows.find(db, actor.id) }),
    ...(target.kind === 'project' ? { project: found } : {}),
    ...(target.kind === 'domain' ? { domain: found?.isDomain ? found : undefined } : {}),
    ...(roleId === undefined ? {} : { role: await roleRows.find(db, roleId) }),
  }
}

/** @throws CloudError kind `notFound` for what does not exist; a revocation forgives a missing actor. */
export function allThere(found: Parties, { actor, target }: Pick<Grant, 'actor' | 'target'>, forgiving = false): void {
  if (target.kind === 'project') must(found.project, 'project', target.id)
  if (target.kind === 'domain') must(found.domain, 'domain', target.id)
  if (!forgiving) must(found[actor.kind], actor.kind, actor.id)
}

/** Repeatable. */
export async function add({ database }: Deps, grant: Grant): Promise<void> {
  await database.write(async (trx) => {
    const found = await parties(trx, grant.actor, grant.target, grant.roleId)
    allThere(found, grant)
    const role = must(found.role, 'role', grant.roleId)
    const place = found.domain?.id ?? found.project?.domainId ?? found.project?.id
    if (role.domainId !== null && role.domainId !== place)
      throw forbidden(
        `${grant.target.kind} ${grant.target.id} must be in the same domain as the role ${grant.roleId} being assigned.`,
      )
    await assignmentRows.insert(trx, grant)
  })
}

/** The tokens that carry it die. */
export async function revoke(deps: Deps, grant: Grant): Promise<void> {
  await writeRevoking(deps, async (trx, revokeTokens) => {
    const role = must(await roleRows.find(trx, grant.roleId), 'role', grant.roleId)
    if (!(await assignmentRows.remove(trx, grant))) throw noSuchGrant(grant)
    const { actor, target } = grant
    const userIds =
      actor.kind === 'user' ? [actor.id] : ((await groupRows.membersOf(trx, [actor.id])).get(actor.id) ?? [])
    const scope = target.kind === 'system' ? 'system' : `${target.kind}:${target.id}`
    // A domain's own role is in no token, only what it implies is.
    const roleIds = role.domainId === null ? [role.id] : withImplied(await roleRows.implications(trx), [role.id])
    // What the users handed on in that project ends: a role that comes back does not bring it back.
    if (target.kind === 'project' && !grant.inherited)
      for (const userId of userIds)
        for (const id of await applicationCredentialRows.removeOfUserIn(trx, userId, target.id))
          revokeTokens({ scope: `application_credential:${id}` })
    if (actor.kind === 'group') revokeTokens({ scope: `group:${actor.id}` })
    // What was handed on may be a role that this one implies, and not name this one.
    for (const userId of userIds) revokeTokens({ userId, scope: grant.inherited ? 'delegated' : `delegated:${scope}` })
    for (const userId of userIds)
      for (const roleId of roleIds) revokeTokens(grant.inherited ? { userId, roleId } : { userId, roleId, scope })
  })
}

export async function exists(db: Db, grant: Grant): Promise<boolean> {
  const { actor, target, roleId, inherited } = grant
  const found = await assignmentRows.list(db, { actors: [actor], targets: [target], roleIds: [roleId], inherited })
  return found.length > 0
}

export const noSuchGrant = ({ actor, target, roleId }: Grant): CloudError =>
  new CloudError(
    'notFound',
    `Could not find role assignment with role: ${roleId}, user or group: ${actor.id}, project, domain, or system: ${target.id}.`,
  )
