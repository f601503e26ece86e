import type { Scope } from '../../../platform/auth/token-codec.ts'
import type { Db } from '../../../platform/db/database.ts'
import * as projectRows from '../db/projects.ts'
import * as userRows from '../db/users.ts'
import { unauthorized } from './refusals.ts'

/** A domain by id or name. */
export interface DomainRef {
  id?: string | undefined
  name?: string | undefined
}

/** A user by id, or by name and domain. */
export interface UserRef {
  id?: string | undefined
  name?: string | undefined
  domain?: DomainRef | undefined
}

export async function domainIdOf(db: Db, ref: DomainRef): Promise<string | undefined> {
  if (ref.id) return ref.id
  return ref.name === undefined ? undefined : (await projectRows.findByName(db, null, ref.name))?.id
}

export async function findUser(db: Db, sent: UserRef): Promise<userRows.User | undefined> {
  if (sent.id) return userRows.find(db, sent.id)
  const domainId = await domainIdOf(db, sent.domain ?? {})
  return domainId === undefined ? undefined : userRows.findByName(db, domainId, sent.name ?? '')
}

/** The user as they are now. @throws CloudError when they, or their domain, are disabled or gone. */
export async function stillThere(db: Db, userId: string): Promise<userRows.User> {
  const user = await userRows.find(db, userId)
  const domain = user && (await projectRows.find(db, user.domainId))
  if (!user?.enabled || !domain?.enabled) throw unauthorized()
  return user
}

/** A project as the scope of a token; undefined when it, or its domain, is switched off. */
export async function usable(
  db: Db,
  project: projectRows.Project,
): Promise<Extract<Scope, { kind: 'project' }> | undefined> {
  const domain = project.domainId ? await projectRows.find(db, project.domainId) : project
  if (!project.enabled || !domain?.enabled) return undefined
  return { kind: 'project', id: project.id, name: project.name, domainId: domain.id }
}
