import type { Scope } from '../../../platform/auth/token-codec.ts'
import type { Db } from '../../../platform/db/database.ts'
import * as assignmentRows from '../db/assignments.ts'
import * as groupRows from '../db/groups.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'

/** Role ids with all they imply, directly or not. */
export function withImplied(implications: ReadonlyMap<string, readonly string[]>, roleIds: Iterable<string>): string[] {
  const found = new Set(roleIds)
  for (const id of found) for (const implied of implications.get(id) ?? []) found.add(implied) // also visits the added
  return [...found]
}

/** The user and the groups they are in, `told` being those that an identity provider told of. */
export async function actorsOf(db: Db, userId: string, told: readonly string[] = []): Promise<assignmentRows.Actor[]> {
  const groupIds = new Set([...(await groupRows.idsOfUser(db, userId)), ...told])
  return [{ kind: 'user', id: userId }, ...[...groupIds].map((id) => ({ kind: 'group' as const, id }))]
}

/** As what a project is a target: a domain's project is one too. */
export const targetsAt = (project: projectRows.Project): assignmentRows.Target[] =>
  project.isDomain
    ? [
        { kind: 'domain', id: project.id },
        { kind: 'project', id: project.id },
      ]
    : [{ kind: 'project', id: project.id }]

/**
 * The roles a user has in a scope, by name: their own and their groups', inherited ones, implied ones. A domain's own
 * roles give what they imply and do not appear themselves. Source: Identity API reference, "Roles".
 */
export async function rolesIn(
  db: Db,
  userId: string,
  scope: Scope,
  told: readonly string[] = [],
): Promise<roleRows.Role[]> {
  const ids = await heldIn(db, userId, scope, told)
  if (ids.size === 0) return []
  const roles = await roleRows.findAll(db, [...ids])
  return roles.filter((role) => role.domainId === null).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The ids of the same roles, with those of a domain's own. */
export async function heldIn(db: Db, userId: string, scope: Scope, told: readonly string[] = []): Promise<Set<string>> {
  const actors = await actorsOf(db, userId, told)
  const target = scope.kind === 'system' ? assignmentRows.theSystem : { kind: scope.kind, id: scope.id }
  const found = await assignmentRows.list(db, { actors, targets: [target], inherited: false })
  if (scope.kind === 'project') {
    const project = await projectRows.find(db, scope.id)
    const above = project ? await projectRows.ancestors(db, project) : []
    found.push(...(await assignmentRows.list(db, { actors, targets: above.flatMap(targetsAt), inherited: true })))
  }
  if (found.length === 0) return new Set()
  const ids = found.map((assignment) => assignment.roleId)
  return new Set(withImplied(await roleRows.implications(db), ids))
}

/** Every project in which the user has a role, disabled ones too. */
export async function projectsOf(db: Db, userId: string, told: readonly string[] = []): Promise<projectRows.Project[]> {
  const assignments = await assignmentRows.list(db, { actors: await actorsOf(db, userId, told) })
  const ids = new Set<string>()
  for (const { target, inherited } of assignments) {
    if (!inherited && target.kind === 'project') ids.add(target.id)
    if (inherited) for (const below of await projectRows.descendants(db, target.id)) ids.add(below.id)
  }
  return projectRows.findAll(db, [...ids])
}

/** Every domain in which the user has a role. */
export async function domainsOf(db: Db, userId: string, told: readonly string[] = []): Promise<projectRows.Project[]> {
  const which = { actors: await actorsOf(db, userId, told), targetKind: 'domain', inherited: false } as const
  const assignments = await assignmentRows.list(db, which)
  return projectRows.findAll(db, [...new Set(assignments.map(({ target }) => target.id))])
}
