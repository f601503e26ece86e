import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as qosRows from '../db/qos.ts'
import { removeOf } from '../db/rbac.ts'
import type { QosRuleType } from '../db/sharing-tables.ts'
import { type Caller, mayUse } from './access.ts'
import type { Accepted } from './attributes.ts'
import { type Deps, loops } from './deps.ts'
import { badRequest, conflict, missing } from './errors.ts'
import { flag } from './flags.ts'
import { setShared } from './sharing.ts'

export interface NewQosPolicy {
  project_id: string
  name: string
  description: string
  shared: boolean
  is_default: boolean
}
export type QosPolicyChanges = Partial<Omit<NewQosPolicy, 'project_id'>>

export const qosPolicyNotFound = (id: string) => missing('QosPolicyNotFound', `QoS policy ${id} could not be found.`)
export const qosRuleNotFound = (policyId: string, id: string) =>
  missing('QosRuleNotFound', `QoS rule ${id} for policy ${policyId} could not be found.`)

export async function create(deps: Deps, items: readonly Accepted<NewQosPolicy>[]): Promise<qosRows.QosPolicyRow[]> {
  return await deps.database.write(async (trx) => {
    const made: qosRows.QosPolicyRow[] = []
    for (const { values } of items) {
      const { shared, is_default, ...rest } = values
      const now = deps.clock.now()
      const times = { created_at: now, updated_at: now, revision_number: 0 }
      const row = { id: newId(), ...rest, tags: '', is_default: flag(is_default), ...times }
      if (is_default) await refuseSecondDefault(trx, row)
      await qosRows.insert(trx, row)
      if (shared) await setShared(trx, 'qos_policy', row, true)
      made.push(row)
    }
    return made
  })
}

/** A project has one that its new networks get. */
async function refuseSecondDefault(trx: Trx, row: { id: string; project_id: string }): Promise<void> {
  const other = await qosRows.defaultOf(trx, row.project_id)
  if (!other || other.id === row.id) return
  throw conflict(
    'QoSPolicyDefaultAlreadyExists',
    `A default QoS policy exists for project ${row.project_id}: ${other.id}.`,
  )
}

export async function update(deps: Deps, id: string, changes: QosPolicyChanges): Promise<qosRows.QosPolicyRow> {
  return await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    const { shared, is_default, ...rest } = changes
    if (is_default) await refuseSecondDefault(trx, before)
    if (shared !== undefined) await setShared(trx, 'qos_policy', before, shared)
    await qosRows.update(trx, id, {
      ...rest,
      ...(is_default !== undefined && { is_default: flag(is_default) }),
      updated_at: deps.clock.now(),
    })
    return await get(trx, id)
  })
}

/** @throws CloudError `conflict` (QosPolicyInUse) */
export async function remove(deps: Deps, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    await get(trx, id)
    const user = await qosRows.isUsed(trx, id)
    if (user) throw conflict('QosPolicyInUse', `QoS Policy ${id} is used by ${user}.`)
    await removeOf(trx, id)
    await qosRows.remove(trx, id)
  })
}

export interface RuleWish {
  max_kbps?: number
  max_burst_kbps?: number
  direction?: 'ingress' | 'egress'
  dscp_mark?: number
}

/** A new rule, or with `id` another wish for one that there is. Every port under the policy follows. @throws CloudError */
export async function setRule(
  deps: Deps,
  policyId: string,
  type: QosRuleType,
  wish: RuleWish,
  id: string | null,
): Promise<qosRows.QosRuleRow> {
  const row = await deps.database.write(async (trx) => {
    await get(trx, policyId)
    const before = id === null ? undefined : await getRule(trx, policyId, id, type)
    const limits = type === 'bandwidth_limit'
    const row: qosRows.QosRuleRow = {
      id: before?.id ?? newId(),
      policy_id: policyId,
      type,
      direction: limits ? (wish.direction ?? (before?.direction || 'egress')) : '',
      max_kbps: limits ? (wish.max_kbps ?? before?.max_kbps ?? 0) : null,
      max_burst_kbps: limits ? (wish.max_burst_kbps ?? before?.max_burst_kbps ?? 0) : null,
      dscp_mark: limits ? null : (wish.dscp_mark ?? before?.dscp_mark ?? 0),
    }
    refuseBurst(row)
    if (!(await qosRows.putRule(trx, row))) {
      throw conflict(
        'QoSRulesConflict',
        `Rule ${type} conflicts with a rule of the same type and direction which already exists in QoS Policy ${policyId}.`,
      )
    }
    await changed(trx, deps, policyId)
    return row
  })
  deps.nudge(loops.ports)
  return row
}

function refuseBurst({ max_kbps, max_burst_kbps, policy_id }: qosRows.QosRuleRow): void {
  if (max_kbps !== 0 || (max_burst_kbps ?? 0) === 0) return
  throw badRequest('QosRuleInvalid', `A burst without a rate makes no sense in QoS policy ${policy_id}.`)
}

export async function removeRule(deps: Deps, policyId: string, id: string, type: QosRuleType): Promise<void> {
  await deps.database.write(async (trx) => {
    await getRule(trx, policyId, id, type)
    await qosRows.removeRule(trx, id)
    await changed(trx, deps, policyId)
  })
  deps.nudge(loops.ports)
}

async function changed(trx: Trx, deps: Pick<Deps, 'clock'>, policyId: string): Promise<void> {
  await qosRows.update(trx, policyId, { updated_at: deps.clock.now() })
  await qosRows.touchPorts(trx, policyId)
}

/** @throws CloudError `notFound` */
export async function getRule(db: Db, policyId: string, id: string, type: QosRuleType): Promise<qosRows.QosRuleRow> {
  const row = await qosRows.findRule(db, id, type)
  if (!row || row.policy_id !== policyId) throw qosRuleNotFound(policyId, id)
  return row
}

/** @throws CloudError `notFound` */
export async function get(db: Db, id: string): Promise<qosRows.QosPolicyRow> {
  const row = await qosRows.find(db, id)
  if (!row) throw qosPolicyNotFound(id)
  return row
}

/** @throws CloudError `notFound` for a policy that is not the caller's to use */
export async function refuseForeign(trx: Trx, caller: Caller, id: string | null | undefined): Promise<void> {
  if (id == null) return
  const row = await qosRows.find(trx, id)
  if (!row || !(await mayUse(trx, caller, row))) throw qosPolicyNotFound(id)
}
