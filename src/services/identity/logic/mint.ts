import { newAuditId } from '../../../platform/auth/tokens.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from './deps.ts'
import { withImplied } from './effective-roles.ts'
import { must } from './refusals.ts'

export interface Minted {
  readonly userId: string
  readonly projectId: string
  /** Names of global roles; what they imply comes along. */
  readonly roles?: readonly string[]
  readonly ttlSeconds: number
}

/**
 * A token that nobody logged in for: Berth's own work, short-lived. It is revoked with its user and project as any
 * other. @throws CloudError kind `notFound` when the project or a role does not exist.
 */
export async function mint(deps: Deps, { userId, projectId, roles = ['member'], ttlSeconds }: Minted): Promise<string> {
  const { kept } = deps
  const issuedAtMs = deps.clock.nowMs()
  const found = await kept.get(`project ${projectId}`, (db) => projectRows.find(db, projectId))
  const project = must(found, 'project', projectId)
  const user = await kept.get(`anyone ${userId}`, (db) => userRows.find(db, userId))
  const held = await kept.get(`roles ${JSON.stringify(roles)}`, async (db) => {
    const named = await Promise.all(
      roles.map(async (name) => must(await roleRows.findByName(db, null, name), 'role', name).id),
    )
    const all = await roleRows.findAll(db, withImplied(await roleRows.implications(db), named))
    return all.filter((role) => role.domainId === null).map(({ id, name }) => ({ id, name }))
  })
  return deps.tokens.issue({
    userId,
    userName: user?.name ?? userId, // a server may outlive the user who made it
    userDomainId: user?.domainId ?? project.domainId ?? project.id,
    scope: { kind: 'project', id: project.id, name: project.name, domainId: project.domainId ?? project.id },
    roles: held,
    methods: ['berth'],
    auditIds: [newAuditId()],
    issuedAtMs,
    expiresAtMs: issuedAtMs + ttlSeconds * 1000,
  })
}
