import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import { bump } from '../db/networks.ts'
import * as rbacRows from '../db/rbac.ts'
import type { ObjectType, SharingAction } from '../db/sharing-tables.ts'
import { objectTypes, ownerOf } from '../db/sharing-users.ts'
import { find as findPool } from '../db/subnet-pools.ts'
import type { Caller } from './access.ts'
import { type Accepted, ownerAttributes, type Resource, textColumn } from './attributes.ts'
import { type Deps, loops } from './deps.ts'
import { badRequest, conflict, invalidInput, missing } from './errors.ts'
import { claimAll } from './quotas.ts'
import { followExternal, refuseInUse, withdraw } from './sharing.ts'
import * as is from './values.ts'

const target: is.Parse<string> = (value) => {
  const text = is.text(255)(value)
  if (text === '') throw new is.Reason("'' Blank strings are not permitted")
  return text
}

/** Source: Network API reference, "RBAC Policies". */
export const rbacPolicy: Resource = {
  singular: 'rbac_policy',
  plural: 'rbac_policies',
  attributes: {
    id: { column: textColumn('id') },
    ...ownerAttributes,
    object_type: { post: true, required: true, parse: is.text(255), column: textColumn('object_type') },
    object_id: { post: true, required: true, parse: is.uuid, column: textColumn('object_id') },
    target_tenant: { post: true, put: true, required: true, parse: target, column: textColumn('target_project') },
    action: { post: true, required: true, parse: is.text(255), column: textColumn('action') },
  },
}

export interface NewRbacPolicy {
  project_id: string
  object_type: string
  object_id: string
  target_tenant: string
  action: string
}
export type RbacPolicyChanges = Partial<Pick<NewRbacPolicy, 'target_tenant'>>

export const rbacPolicyNotFound = (id: string) =>
  missing('RbacPolicyNotFound', `RBAC policy with ID ${id} could not be found.`)

const actionsOf = (type: ObjectType): SharingAction[] =>
  type === 'network' ? ['access_as_shared', 'access_as_external'] : ['access_as_shared']

/** @throws CloudError in Neutron's words */
export async function create(
  deps: Deps,
  caller: Caller,
  items: readonly Accepted<NewRbacPolicy>[],
): Promise<rbacRows.RbacRow[]> {
  for (const { values } of items) refuseNonsense(values)
  const rows = await deps.database.write(async (trx) => {
    await claimAll(trx, deps, 'rbac_policy', items)
    const made: rbacRows.RbacRow[] = []
    for (const { values } of items) {
      const { project_id, object_id, target_tenant } = values
      const object_type = values.object_type as ObjectType
      const owner = await ownerOf(trx, object_type, object_id)
      if (owner === undefined) throw missing('ObjectNotFound', `Object ${object_id} could not be found.`)
      if (!caller.isAdmin && owner !== caller.projectId) throw foreign()
      const action = values.action as SharingAction
      const row = { id: newId(), project_id, object_type, object_id, action, target_project: target_tenant }
      if (!(await rbacRows.insert(trx, row))) throw duplicate()
      if (object_type === 'subnetpool') await refuseHiddenScope(trx, object_id, target_tenant)
      if (object_type === 'network') await bump(trx, object_id)
      if (action === 'access_as_external') await followExternal(trx, object_id)
      made.push(row)
    }
    return made
  })
  deps.nudge(loops.networks)
  return rows
}

/** A pool is of use only to those who may use its address scope. */
async function refuseHiddenScope(trx: Trx, poolId: string, target: string): Promise<void> {
  const scopeId = (await findPool(trx, poolId))?.address_scope_id ?? null
  if (scopeId === null || (await ownerOf(trx, 'address_scope', scopeId)) === target) return
  if (await rbacRows.isOpenTo(trx, scopeId, target === '*' ? null : target)) return
  throw invalidInput(`Project ${target} has no access to address scope ${scopeId} of subnet pool ${poolId}`)
}

function refuseNonsense({ object_type, action }: NewRbacPolicy): void {
  const type = objectTypes.find((one) => one === object_type)
  if (!type) {
    throw badRequest(
      'RbacPolicyInitError',
      `'${object_type}' is not a valid object type. Valid types: ${objectTypes.join(', ')}.`,
    )
  }
  const allowed = actionsOf(type)
  if (!allowed.some((one) => one === action)) {
    throw badRequest(
      'InvalidActionForType',
      `Invalid action '${action}' for object type '${type}'. Valid actions: ${allowed.join(', ')}`,
    )
  }
}

const foreign = () => invalidInput('Only admins can manipulate policies on objects they do not own')
const duplicate = () => conflict('DuplicateRbacPolicy', 'An RBAC policy already exists with those values.')

export async function update(
  deps: Deps,
  caller: Caller,
  id: string,
  { target_tenant }: RbacPolicyChanges,
): Promise<rbacRows.RbacRow> {
  const row = await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    await refuseForeign(trx, caller, before)
    if (target_tenant === undefined || target_tenant === before.target_project) return before
    await refuseInUse(trx, before, target_tenant)
    const others = await rbacRows.ofObject(trx, before.object_id, before.action)
    if (others.some((other) => other.target_project === target_tenant)) throw duplicate()
    await rbacRows.retarget(trx, id, target_tenant)
    if (before.object_type === 'network') await bump(trx, before.object_id)
    return { ...before, target_project: target_tenant }
  })
  return row
}

/** @throws CloudError `conflict` (RbacPolicyInUse) */
export async function remove(deps: Deps, caller: Caller, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    const row = await get(trx, id)
    await refuseForeign(trx, caller, row)
    await withdraw(trx, row)
  })
  deps.nudge(loops.networks)
}

async function refuseForeign(db: Db, caller: Caller, row: rbacRows.RbacRow): Promise<void> {
  if (caller.isAdmin || (await ownerOf(db, row.object_type, row.object_id)) === caller.projectId) return
  throw foreign()
}

async function get(db: Db, id: string): Promise<rbacRows.RbacRow> {
  const row = await rbacRows.find(db, id)
  if (!row) throw rbacPolicyNotFound(id)
  return row
}
