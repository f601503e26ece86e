import * as assignmentRows from '../db/assignments.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import type { Deps } from './deps.ts'
import { withImplied } from './effective-roles.ts'
import { conflict, forbidden, must, notFound, refuseImmutable } from './refusals.ts'
import { type Revoke, writeRevoking } from './revoking.ts'

export type Role = roleRows.Role
export type Change = Partial<Pick<Role, 'name' | 'description' | 'options' | 'extra'>>

/** @throws CloudError when the domain is missing or the name taken. */
export async function create({ database }: Deps, role: Role): Promise<Role> {
  return database.write(async (trx) => {
    if (role.domainId !== null && !(await projectRows.find(trx, role.domainId))?.isDomain)
      throw notFound('domain', role.domainId)
    if (!(await roleRows.insert(trx, role))) throw nameTaken(role)
    return role
  })
}

/** Tokens name their roles, so those with the old name die. */
export async function update(deps: Deps, id: string, change: Change): Promise<Role> {
  return writeRevoking(deps, async (trx, revoke) => {
    const was = must(await roleRows.find(trx, id), 'role', id)
    const now = { ...was, ...change }
    if (!(was.options.immutable === true && now.options.immutable !== true)) refuseImmutable('role', id, was.options)
    if (now.name !== was.name && (await roleRows.findByName(trx, was.domainId, now.name))) throw nameTaken(now)
    await roleRows.update(trx, now)
    if (now.name !== was.name) revoke({ roleId: id })
    return now
  })
}

const nameTaken = (role: Role) => conflict('role', `Duplicate entry found with name ${role.name}`)

/** With its assignments. */
export async function remove(deps: Deps, id: string): Promise<void> {
  await writeRevoking(deps, async (trx, revoke) => {
    const role = must(await roleRows.find(trx, id), 'role', id)
    refuseImmutable('role', id, role.options)
    revokeRole(revoke, role, await roleRows.implications(trx))
    await assignmentRows.removeOfRoles(trx, [id])
    await roleRows.remove(trx, [id])
  })
}

/** A domain's own role is in no token: only what it implies is, as it may be in what was handed on. */
function revokeRole(revoke: Revoke, role: Role, implications: ReadonlyMap<string, readonly string[]>): void {
  for (const id of role.domainId === null ? [role.id] : withImplied(implications, [role.id])) revoke({ roleId: id })
  for (const id of withImplied(implications, [role.id])) revoke({ roleId: id, scope: 'delegated' })
}

/** Repeatable. Nobody becomes an administrator by implication, and a global role does not reach into a domain's own. */
export async function imply({ database }: Deps, priorId: string, impliedId: string): Promise<[Role, Role]> {
  return database.write(async (trx) => {
    const prior = must(await roleRows.find(trx, priorId), 'role', priorId)
    const implied = must(await roleRows.find(trx, impliedId), 'role', impliedId)
    const downward = prior.domainId === null && implied.domainId !== null
    if (implied.name === 'admin' || priorId === impliedId || downward)
      throw forbidden(`${impliedId} cannot be an implied roles.`)
    await roleRows.imply(trx, priorId, impliedId)
    return [prior, implied]
  })
}

export async function implyNoMore(deps: Deps, priorId: string, impliedId: string): Promise<void> {
  await writeRevoking(deps, async (trx, revoke) => {
    const prior = must(await roleRows.find(trx, priorId), 'role', priorId)
    must(await roleRows.find(trx, impliedId), 'role', impliedId)
    revokeRole(revoke, prior, await roleRows.implications(trx))
    if (!(await roleRows.implyNoMore(trx, priorId, impliedId))) throw notImplied(priorId, impliedId)
  })
}

export const notImplied = (priorId: string, impliedId: string) => notFound('implied role', `${priorId} → ${impliedId}`)
