import { hashPassword } from '../../../platform/auth/passwords.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as assignmentRows from '../db/assignments.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from './deps.ts'

export const defaultDomainId = 'default'

export interface Secrets {
  readonly adminPassword: string
  readonly demoPassword: string
}

export interface Seeded {
  readonly adminProjectId: string
  readonly demoProjectId: string
  readonly serviceProjectId: string
  readonly adminUserId: string
  readonly demoUserId: string
}

/** From the strongest: each implies the next. Source: Keystone documentation, "Service API protection". */
const chain = ['admin', 'manager', 'member', 'reader']

/**
 * The domain, projects, users and roles that every cloud starts with. Repeatable: what is there stays as it is, so an
 * operator's changes (a password above all) are kept.
 */
export async function seed({ database, clock }: Deps, secrets: Secrets): Promise<Seeded> {
  const hash = async (name: string, password: string) =>
    (await userRows.findByName(database.read, defaultDomainId, name)) ? null : hashPassword(password)
  const [adminHash, demoHash] = await Promise.all([
    hash('admin', secrets.adminPassword),
    hash('demo', secrets.demoPassword),
  ])
  return database.write(async (trx) => {
    await projectRows.insert(trx, aProject(defaultDomainId, 'Default', 'The default domain'))
    const [admin, demo, service] = [
      await ensureProject(trx, 'admin', 'For the administration of the cloud'),
      await ensureProject(trx, 'demo', 'A first project to work in'),
      await ensureProject(trx, 'service', "For the cloud's own services"),
    ]
    const roles = new Map<string, string>()
    for (const name of [...chain, 'service']) roles.set(name, await ensureRole(trx, name))
    for (const [i, name] of chain.slice(1).entries()) await roleRows.imply(trx, roles.get(chain[i]!)!, roles.get(name)!)

    const ensureUser = async (name: string, passwordHash: string | null, defaultProjectId: string | null) => {
      const known = await userRows.findByName(trx, defaultDomainId, name)
      if (known) return known.id
      const user = {
        id: newHexId(),
        domainId: defaultDomainId,
        name,
        enabled: true,
        defaultProjectId,
        passwordHash,
        passwordCreatedAt: clock.now(),
        passwordExpiresAt: null,
        createdAt: clock.now(),
        options: {},
        extra: {},
      }
      await userRows.insert(trx, user)
      return user.id
    }
    const adminId = await ensureUser('admin', adminHash, null)
    const demoId = await ensureUser('demo', demoHash, null)
    const grant = (userId: string, target: assignmentRows.Target, role: string) =>
      assignmentRows.insert(trx, {
        actor: { kind: 'user', id: userId },
        target,
        roleId: roles.get(role)!,
        inherited: false,
      })
    await grant(adminId, { kind: 'project', id: admin }, 'admin')
    await grant(adminId, assignmentRows.theSystem, 'admin')
    await grant(demoId, { kind: 'project', id: demo }, 'member')
    return {
      adminProjectId: admin,
      demoProjectId: demo,
      serviceProjectId: service,
      adminUserId: adminId,
      demoUserId: demoId,
    }
  })
}

/** The default domain itself when `id` is its id. */
function aProject(id: string, name: string, description: string): projectRows.Project {
  const isDomain = id === defaultDomainId
  return {
    id,
    name,
    domainId: isDomain ? null : defaultDomainId,
    parentId: isDomain ? null : defaultDomainId,
    isDomain,
    enabled: true,
    description,
    tags: [],
    options: {},
    extra: {},
  }
}

async function ensureProject(trx: Trx, name: string, description: string): Promise<string> {
  const known = await projectRows.findByName(trx, defaultDomainId, name)
  if (known) return known.id
  const project = aProject(newHexId(), name, description)
  await projectRows.insert(trx, project)
  return project.id
}

/** Immutable, as upstream's bootstrap makes them: policies stand on their names. */
async function ensureRole(trx: Trx, name: string): Promise<string> {
  const known = await roleRows.findByName(trx, null, name)
  if (known) return known.id
  const role = { id: newHexId(), domainId: null, name, description: null, options: { immutable: true }, extra: {} }
  await roleRows.insert(trx, role)
  return role.id
}
