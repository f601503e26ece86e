import { newAuditId } from '../../../platform/auth/tokens.ts'
import { isoOf } from '../../../platform/clock.ts'
import * as projectRows from '../db/projects.ts'
import type { Deps } from './deps.ts'
import { rolesIn } from './effective-roles.ts'
import { unauthorized } from './refusals.ts'
import { stillThere, usable } from './who.ts'

export interface Reissued {
  readonly userId: string
  /** Null: their default project, or none. */
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
  const wanted = projectId ?? user.defaultProjectId
  const project = wanted ? await projectRows.find(db, wanted) : undefined
  const usableScope = project && (await usable(db, project))
  const roles = usableScope ? await rolesIn(db, user.id, usableScope) : []
  const scope = usableScope && roles.length > 0 ? usableScope : null
  if (!scope && projectId !== null) throw unauthorized()
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
