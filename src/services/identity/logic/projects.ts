import type { Trx } from '../../../platform/db/database.ts'
import * as assignmentRows from '../db/assignments.ts'
import * as delegationRows from '../db/delegations.ts'
import * as groupRows from '../db/groups.ts'
import * as idpRows from '../db/identity-providers.ts'
import { flag } from '../db/lists.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import * as userRows from '../db/users.ts'
import { type ProjectsDeleted, subjects } from '../messages.ts'
import type { Deps } from './deps.ts'
import { badRequest, conflict, forbidden, must, notFound, refuseImmutable } from './refusals.ts'
import { type Revoke, writeRevoking } from './revoking.ts'

export type Project = projectRows.Project

/** A domain and four projects below one another. Keystone's default. */
const maxDepth = 5

/** What may be changed. */
export type Change = Partial<Pick<Project, 'name' | 'description' | 'enabled' | 'tags' | 'options' | 'extra'>>

/** @throws CloudError when the parent is missing, disabled or in another domain, or the name is taken. */
export async function create({ database }: Deps, project: Project): Promise<Project> {
  return database.write(async (trx) => {
    if (project.isDomain && (project.parentId || project.domainId))
      throw badRequest('only root projects are allowed to act as domains.')
    if (!project.isDomain) await checkPlace(trx, project)
    if (!(await projectRows.insert(trx, project))) throw nameTaken(project)
    return project
  })
}

async function checkPlace(trx: Trx, project: Project): Promise<void> {
  const domain = await projectRows.find(trx, project.domainId ?? '')
  if (!domain?.isDomain) throw badRequest(`Could not find domain: ${project.domainId}.`)
  const above = await projectRows.ancestors(trx, project)
  const parent = above[0]
  if (!parent) throw badRequest(`Could not find project: ${project.parentId}.`)
  if ((parent.domainId ?? parent.id) !== project.domainId)
    throw badRequest(
      `Cannot create project, since it specifies its domain_id ${project.domainId}, but specifies a parent in a different domain (${parent.domainId ?? parent.id}).`,
    )
  const disabled = above.find((each) => !each.enabled)
  if (disabled) throw forbidden(`cannot create a project in a branch containing a disabled project: ${disabled.name}`)
  if (above.length >= maxDepth) throw forbidden(`Max hierarchy depth reached for ${project.parentId} branch.`)
}

function nameTaken(project: Project): Error {
  return project.isDomain
    ? conflict(
        'project',
        `it is not permitted to have two projects acting as domains with the same name: ${project.name}`,
      )
    : conflict(
        'project',
        `it is not permitted to have two projects with either the same name or same id in the same domain: name is ${project.name}, project id ${project.id}`,
      )
}

/** `noun` is what the caller calls it. A project switched off ends the tokens for it. */
export async function update(deps: Deps, noun: 'project' | 'domain', id: string, change: Change): Promise<Project> {
  return writeRevoking(deps, async (trx, revoke) => {
    const was = must(await find(trx, noun, id), noun, id)
    const now: Project = { ...was, ...change }
    if (!(was.options.immutable === true && now.options.immutable !== true)) refuseImmutable(noun, id, was.options)
    if (now.name !== was.name && (await projectRows.findByName(trx, was.domainId, now.name))) throw nameTaken(now)
    if (now.enabled !== was.enabled && !was.isDomain) await checkSwitch(trx, now)
    await projectRows.update(trx, now)
    if (was.enabled && !now.enabled) revokeIn(revoke, now)
    return now
  })
}

async function checkSwitch(trx: Trx, project: Project): Promise<void> {
  if (project.enabled) {
    if ((await projectRows.ancestors(trx, project)).some((each) => !each.enabled))
      throw forbidden(`Cannot enable project ${project.id} since it has disabled parents`)
  } else if ((await projectRows.descendants(trx, project.id)).some((each) => each.enabled))
    throw forbidden(`Cannot disable project ${project.id} since its subtree contains enabled projects.`)
}

/** The project under the name that the caller used for it: a domain is also a project, not the other way round. */
export async function find(
  db: Parameters<typeof projectRows.find>[0],
  noun: 'project' | 'domain',
  id: string,
): Promise<Project | undefined> {
  const found = await projectRows.find(db, id)
  return noun === 'domain' && !found?.isDomain ? undefined : found
}

/** Deletes a project without children, or a disabled domain with everything in it; their tokens die. */
export async function remove(deps: Deps, noun: 'project' | 'domain', id: string): Promise<void> {
  const projectIds = await writeRevoking(deps, async (trx, revoke) => {
    const project = await find(trx, noun, id)
    if (!project) throw notFound(noun, id)
    refuseImmutable(noun, id, project.options)
    if (project.isDomain) return removeDomain(trx, revoke, project)
    if ((await projectRows.children(trx, id)).length > 0)
      throw forbidden(
        `Cannot delete the project ${id} since it is not a leaf in the hierarchy. Use the cascade option if you want to delete a whole subtree.`,
      )
    await removeProjects(trx, revoke, [project])
    return [id]
  })
  deps.bus.publish(subjects.projectsDeleted, { projectIds } satisfies ProjectsDeleted)
}

async function removeDomain(trx: Trx, revoke: Revoke, domain: Project): Promise<string[]> {
  if (domain.enabled) throw forbidden('Cannot delete a domain that is enabled, please disable it first.')
  const filter = { column: 'is_domain', operator: 'equals', value: flag(false) } as const
  const inside = { filters: [filter, { ...filter, column: 'domain_id', value: domain.id }], marker: null, limit: null }
  const projects = [...(await projectRows.list(trx, inside)), domain]
  const users = await userRows.idsInDomain(trx, domain.id)
  const groups = await groupRows.idsInDomain(trx, domain.id)
  const roles = await roleRows.idsInDomain(trx, domain.id)
  await assignmentRows.removeOfActors(trx, [...users, ...groups])
  await assignmentRows.removeOfRoles(trx, roles)
  for (const idp of await idpRows.idsInDomain(trx, domain.id)) {
    await idpRows.remove(trx, idp)
    revoke({ scope: `idp:${idp}` })
  }
  await delegationRows.removeOfUsers(trx, users)
  await groupRows.remove(trx, groups)
  await userRows.remove(trx, users)
  await roleRows.remove(trx, roles)
  await removeProjects(trx, revoke, projects)
  return projects.map((project) => project.id)
}

async function removeProjects(trx: Trx, revoke: Revoke, projects: readonly Project[]): Promise<void> {
  const ids = projects.map((project) => project.id)
  await assignmentRows.removeOnTargets(trx, ids)
  await delegationRows.removeOfProjects(trx, ids)
  await projectRows.remove(trx, ids)
  for (const project of projects) revokeIn(revoke, project)
}

function revokeIn(revoke: Revoke, project: Project): void {
  revoke({ scope: `project:${project.id}` })
  if (!project.isDomain) return
  revoke({ scope: `domain:${project.id}` })
  revoke({ domainId: project.id })
}

/** What hangs together: from the parent up as Keystone nests it, or everything below. */
export interface Tree {
  readonly [id: string]: Tree | null
}

/** `{parent: {grandparent: {domain: null}}}`. */
export const pathUp = (ancestors: readonly Project[]): Tree | null =>
  ancestors.reduceRight<Tree | null>((inner, each) => ({ [each.id]: inner }), null)

/** `{child: {grandchild: null}, child: null}`. */
export function treeBelow(id: string, descendants: readonly Project[]): Tree | null {
  const direct = descendants.filter((each) => each.parentId === id)
  return direct.length === 0
    ? null
    : Object.fromEntries(direct.map((each) => [each.id, treeBelow(each.id, descendants)]))
}
