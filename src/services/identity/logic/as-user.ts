import type { Context } from '../../../platform/auth/context.ts'
import type { Scope } from '../../../platform/auth/token-codec.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as projectRows from '../db/projects.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from './deps.ts'
import { projectsOf, rolesIn } from './effective-roles.ts'
import { must } from './refusals.ts'

const defaultDomain = 'default'

/** Names (in the domain Default) or ids. */
export interface AsUser {
  readonly user: string
  readonly project?: string
  readonly domain?: string
  readonly system?: boolean
}

/**
 * The context of a request by that user in that scope, with the roles of now; no token is made. Without a scope: the
 * user's default project, or the only one they have a role in. @throws CloudError when there is no such user or scope.
 */
export async function contextAs({ database }: Pick<Deps, 'database'>, wanted: AsUser): Promise<Context> {
  const db = database.read
  const found = (await userRows.find(db, wanted.user)) ?? (await userRows.findByName(db, defaultDomain, wanted.user))
  const user = must(found, 'user', wanted.user)
  const scope = await scopeOf(database.read, user, wanted)
  const roles = scope ? (await rolesIn(db, user.id, scope)).map(({ name }) => name) : []
  const project = scope?.kind === 'project' ? scope : null
  return {
    ...{ requestId: '', userId: user.id, userName: user.name, userDomainId: user.domainId },
    ...{ projectId: project?.id ?? null, projectName: project?.name ?? null },
    projectDomainId: project?.domainId ?? null,
    domainId: scope?.kind === 'domain' ? scope.id : null,
    system: scope?.kind === 'system',
    roles,
    isAdmin: roles.includes('admin'),
    ...{ token: '', expiresAt: '', auditIds: [], methods: [] },
  }
}

async function scopeOf(db: Deps['database']['read'], user: userRows.User, wanted: AsUser): Promise<Scope | null> {
  if (wanted.system) return { kind: 'system' }
  if (wanted.domain !== undefined) {
    const named = await projectRows.findByName(db, null, wanted.domain)
    const domain = (await projectRows.find(db, wanted.domain)) ?? named
    if (!domain?.isDomain) throw new CloudError('notFound', `Could not find domain: ${wanted.domain}.`)
    return { kind: 'domain', id: domain.id, name: domain.name }
  }
  let project: projectRows.Project | undefined
  if (wanted.project !== undefined) {
    const named = await projectRows.findByName(db, defaultDomain, wanted.project)
    project = must((await projectRows.find(db, wanted.project)) ?? named, 'project', wanted.project)
  } else {
    const all = await projectsOf(db, user.id)
    project = all.find(({ id }) => id === user.defaultProjectId) ?? (all.length === 1 ? all[0] : undefined)
  }
  if (!project) return null
  return { kind: 'project', id: project.id, name: project.name, domainId: project.domainId ?? project.id }
}
