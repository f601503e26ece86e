import * as assignmentRows from '../db/assignments.ts'
import * as federatedRows from '../db/federated-users.ts'
import * as groupRows from '../db/groups.ts'
import * as projectRows from '../db/projects.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from './deps.ts'
import { conflict, must, notFound } from './refusals.ts'
import { writeRevoking } from './revoking.ts'

export type Group = groupRows.Group
export type Change = Partial<Pick<Group, 'name' | 'description' | 'extra'>>

/** @throws CloudError when the domain is missing or the name taken. */
export async function create({ database }: Deps, group: Group): Promise<Group> {
  return database.write(async (trx) => {
    if (!(await projectRows.find(trx, group.domainId))?.isDomain) throw notFound('domain', group.domainId)
    if (!(await groupRows.insert(trx, group))) throw nameTaken(group)
    return group
  })
}

export async function update({ database }: Deps, id: string, change: Change): Promise<Group> {
  return database.write(async (trx) => {
    const was = must(await groupRows.find(trx, id), 'group', id)
    const now = { ...was, ...change }
    if (now.name !== was.name && (await groupRows.findByName(trx, was.domainId, now.name))) throw nameTaken(now)
    await groupRows.update(trx, now)
    return now
  })
}

const nameTaken = (group: Group) =>
  conflict('group', `Duplicate entry found with name ${group.name} at domain ID ${group.domainId}`)

/** Its members lose what it gave them, and their tokens with it. */
export async function remove(deps: Deps, id: string): Promise<void> {
  await writeRevoking(deps, async (trx, revoke) => {
    must(await groupRows.find(trx, id), 'group', id)
    for (const userId of (await groupRows.membersOf(trx, [id])).get(id) ?? []) revoke({ userId })
    revoke({ scope: `group:${id}` })
    await assignmentRows.removeOfActors(trx, [id])
    await groupRows.remove(trx, [id])
  })
}

/** Repeatable. */
export async function addMember({ database }: Deps, groupId: string, userId: string): Promise<void> {
  await database.write(async (trx) => {
    must(await groupRows.find(trx, groupId), 'group', groupId)
    must(await userRows.find(trx, userId), 'user', userId)
    await groupRows.addMember(trx, groupId, userId)
    await federatedRows.forgetEnd(trx, groupId, userId) // now it is for good
  })
}

export async function removeMember(deps: Deps, groupId: string, userId: string): Promise<void> {
  await writeRevoking(deps, async (trx, revoke) => {
    must(await groupRows.find(trx, groupId), 'group', groupId)
    if (!(await groupRows.removeMember(trx, groupId, userId))) throw notInGroup(groupId, userId)
    await federatedRows.forgetEnd(trx, groupId, userId)
    revoke({ userId })
  })
}

export const notInGroup = (groupId: string, userId: string) => notFound(`user in group ${groupId}`, userId)
