import type { Scope } from '../../../platform/auth/token-codec.ts'
import { newAuditId } from '../../../platform/auth/tokens.ts'
import { isoOf } from '../../../platform/clock.ts'
import type { Db } from '../../../platform/db/database.ts'
import * as projectRows from '../db/projects.ts'
import type * as userRows from '../db/users.ts'
import type { Deps } from './deps.ts'
import { projectsOf, rolesIn } from './effective-roles.ts'
import { unauthorized } from './refusals.ts'
import { stillThere, usable } from './who.ts'

export interface Reissued {
  readonly userId: string
  /** Null: their default project, or else the first they have a role in, or none. */
  readonly projectId: string | null
  /** When the user last proved who they are: a password set later voids that. */
  readonly provenMs: number
}

/**
 * A token for one who proved themselves before, with the roles they have now. The caller keeps the proof.
 * @throws CloudError kind `unauthorized` when the user or project is disabled or gone, has a newer password or no role.
 */
export async function reissue(deps: Deps, { userId, projectId, provenMs }: Reissued): Promise<string> {
  const db = deps.database.read
  const issuedAtMs = deps.clock.nowMs()
  const user = await stillThere(db, userId)
  if (user.passwordCreatedAt && user.passwordCreatedAt > isoOf(provenMs)) throw unauthorized()
  if (user.passwordExpiresAt && user.passwordExpiresAt <= isoOf(issuedAtMs)) throw unauthorized()
  const scope = projectId === null ? await anyScope(db, user) : await scopeIn(db, user, projectId)
  if (!scope && projectId !== null) throw unauthorized()
  const roles = scope ? await rolesIn(db, user.id, scope) : []
  return deps.tokens.issue({
    userId: user.id,
    userName: user.name,
    userDomainId: user.domainId,
    scope,
    roles: roles.map(({ id, name }) => ({ id, name })),
    methods: ['password'],
    auditIds: [newAuditId()],
    issuedAtMs,
    expiresAtMs: issuedAtMs + deps.tokenMs,
  })
}

async function anyScope(db: Db, user: userRows.User): Promise<Scope | null> {
  const own = user.defaultProjectId ? await scopeIn(db, user, user.defaultProjectId) : null
  if (own) return own
  const projects = await projectsOf(db, user.id)
  for (const { id } of projects.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const scope = await scopeIn(db, user, id)
    if (scope) return scope
  }
  return null
}

/** Null when the project is not to be worked in, or the user has no role in it. */
async function scopeIn(db: Db, user: userRows.User, projectId: string): Promise<Scope | null> {
  const project = await projectRows.find(db, projectId)
  const scope = project && (await usable(db, project))
  return scope && (await rolesIn(db, user.id, scope)).length > 0 ? scope : null
}
