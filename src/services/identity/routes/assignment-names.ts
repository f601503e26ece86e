import type { Db } from '../../../platform/db/database.ts'
import * as groupRows from '../db/groups.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import * as userRows from '../db/users.ts'
import type { Listed } from '../logic/role-assignments.ts'

interface Name {
  name: string
  domain?: { id: string; name: string }
}

/** Id → what `include_names` adds to it. */
export type Names = Readonly<Record<'user' | 'group' | 'project' | 'domain' | 'role', ReadonlyMap<string, Name>>>

/** The names of everything in a list of assignments, each looked up once. */
export async function namesOf(db: Db, listed: readonly Listed[]): Promise<Names> {
  const ids = (kind: string) => [
    ...new Set(listed.flatMap(({ actor, target }) => [actor, target].filter((x) => x.kind === kind).map((x) => x.id))),
  ]
  const users = await userRows.findAll(db, ids('user'))
  const groups = await groupRows.findAll(db, ids('group'))
  const projects = await projectRows.findAll(db, ids('project'))
  const roles = await roleRows.findAll(db, [...new Set(listed.map(({ roleId }) => roleId))])
  const parents = [...users, ...groups, ...projects, ...roles].flatMap(({ domainId }) => domainId ?? [])
  const domains = await projectRows.findAll(db, [...new Set([...ids('domain'), ...parents])])
  const domainNames = new Map(domains.map(({ id, name }) => [id, { name }]))

  const named = (items: readonly { id: string; name: string; domainId: string | null }[]) =>
    new Map(
      items.map(({ id, name, domainId }) => {
        const domain = domainId === null ? undefined : { id: domainId, name: domainNames.get(domainId)?.name ?? '' }
        return [id, { name, ...(domain ? { domain } : {}) }]
      }),
    )
  return {
    user: named(users),
    group: named(groups),
    project: named(projects),
    role: named(roles),
    domain: domainNames,
  }
}
