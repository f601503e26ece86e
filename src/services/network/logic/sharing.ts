import type { Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as hostRows from '../db/hosts.ts'
import * as networkRows from '../db/networks.ts'
import * as rbacRows from '../db/rbac.ts'
import type { ObjectType, SharingAction } from '../db/sharing-tables.ts'
import { usersOf } from '../db/sharing-users.ts'
import { conflict } from './errors.ts'

/** What sharing with everybody, and lifting it, means for the object; `routes/rbac` shares with some. */

interface Owned {
  id: string
  project_id: string
}

/** `*` is everybody. */
export const everybody = '*'

/**
 * Shares an object with everybody, or no longer.
 * @throws CloudError `conflict` while somebody else uses it who may not otherwise
 */
export async function setShared(
  trx: Trx,
  object_type: ObjectType,
  { id, project_id }: Owned,
  shared: boolean,
): Promise<void> {
  const action = 'access_as_shared'
  const present = (await rbacRows.ofObject(trx, id, action)).find((row) => row.target_project === everybody)
  if (shared === (present !== undefined)) return
  if (present) return await withdraw(trx, present)
  const row = { id: newId(), project_id, object_type, object_id: id, action, target_project: everybody } as const
  await rbacRows.insert(trx, row)
}

/** Takes a policy away. @throws CloudError `conflict` (RbacPolicyInUse) while somebody has no other leave */
export async function withdraw(trx: Trx, policy: rbacRows.RbacRow): Promise<void> {
  await refuseInUse(trx, policy, null)
  await rbacRows.remove(trx, policy.id)
  if (policy.object_type === 'network') await networkRows.bump(trx, policy.object_id)
  if (policy.action === 'access_as_external') await followExternal(trx, policy.object_id)
}

/** @throws CloudError `conflict` when with `next` in place of the policy some user of the object would be without leave */
export async function refuseInUse(trx: Trx, policy: rbacRows.RbacRow, next: string | null): Promise<void> {
  const { object_id, object_type, action, target_project: target } = policy
  const others = (await rbacRows.ofObject(trx, object_id, action)).filter((row) => row.id !== policy.id)
  const left = new Set([...others.map((row) => row.target_project), ...(next === null ? [] : [next])])
  if (left.has(everybody)) return
  const owner = await ownerIn(trx, policy)
  const stranded = (await usersOf(trx, object_type, action, object_id)).filter(
    (project) => project !== owner && !left.has(project) && (target === everybody || target === project),
  )
  if (stranded.length > 0) throw rbacInUse(policy, stranded)
  if (action !== 'access_as_external' || target !== everybody) return
  if ((await networkRows.find(trx, object_id))?.is_default === 1) {
    throw conflict(
      'RbacPolicyInUse',
      `RBAC policy on object ${object_id} cannot be removed: it is the default external network.`,
    )
  }
}

async function ownerIn(trx: Trx, policy: rbacRows.RbacRow): Promise<string> {
  if (policy.object_type !== 'network') return policy.project_id
  return (await networkRows.find(trx, policy.object_id))?.project_id ?? policy.project_id
}

const rbacInUse = ({ object_id }: rbacRows.RbacRow, projects: readonly string[]) =>
  conflict(
    'RbacPolicyInUse',
    `RBAC policy on object ${object_id} cannot be removed because other objects depend on it. ` +
      `Details: used by project ${projects.join(', ')}.`,
  )

/** A network is a way out as long as some policy says so. */
export async function followExternal(trx: Trx, networkId: string): Promise<void> {
  const external = (await rbacRows.ofObject(trx, networkId, 'access_as_external')).length > 0
  const before = await networkRows.find(trx, networkId)
  if (!before || (before.external === 1) === external) return
  await networkRows.update(trx, networkId, { external: external ? 1 : 0 })
  if (external) await hostRows.touchNetwork(trx, networkId)
  else await hostRows.dropNetwork(trx, networkId)
}

/** Open to everybody as a way out, or to nobody: what `router:external` says. */
export async function setExternal(trx: Trx, network: networkRows.NetworkRow, external: boolean): Promise<void> {
  const action: SharingAction = 'access_as_external'
  if (external) {
    if (network.external === 1) return
    const { id, project_id } = network
    const policy = { id: newId(), project_id, object_type: 'network', object_id: id, action } as const
    await rbacRows.insert(trx, { ...policy, target_project: everybody })
  } else for (const row of await rbacRows.ofObject(trx, network.id, action)) await rbacRows.remove(trx, row.id)
  await followExternal(trx, network.id)
}
