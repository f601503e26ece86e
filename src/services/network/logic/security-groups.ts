import type { Clock } from '../../../platform/clock.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import { removeOf } from '../db/rbac.ts'
import * as groupRows from '../db/security-groups.ts'
import type { Accepted } from './attributes.ts'
import { type Deps, loops } from './deps.ts'
import { conflict, groupNotFound } from './errors.ts'
import { flag } from './flags.ts'
import { claimAll } from './quotas.ts'
import { ruleRow } from './security-group-rules.ts'

export interface NewGroup {
  project_id: string
  name: string
  description: string
  stateful: boolean
}
export type GroupChanges = Partial<Pick<NewGroup, 'name' | 'description' | 'stateful'>>

/** The project's default group, made on first use. Repeatable; two at once make one. */
export async function ensureDefault(trx: Trx, clock: Clock, projectId: string): Promise<groupRows.GroupRow> {
  const known = await groupRows.defaultOf(trx, projectId)
  if (known) return known
  const group = { project_id: projectId, name: 'default', description: 'Default security group', stateful: true }
  return (await insert(trx, clock, group, true)) ?? (await groupRows.defaultOf(trx, projectId))!
}

/** With the rules every group starts with; undefined when a second default group was asked for. */
async function insert(
  trx: Trx,
  clock: Clock,
  wanted: NewGroup,
  isDefault: boolean,
): Promise<groupRows.GroupRow | undefined> {
  const now = clock.now()
  const { name, description, project_id, stateful } = wanted
  const standard = { project_id, created_at: now, updated_at: now }
  const row = {
    ...{ id: newId(), name, description, stateful: flag(stateful), is_default: flag(isDefault) },
    ...{ ...standard, revision_number: 1, tags: '' },
  }
  if (!(await groupRows.insert(trx, row))) return undefined
  for (const ethertype of ['IPv4', 'IPv6'] as const) {
    await groupRows.insertRule(trx, ruleRow(row, clock, { direction: 'egress', ethertype }))
    if (!isDefault) continue
    await groupRows.insertRule(trx, ruleRow(row, clock, { direction: 'ingress', ethertype, remote_group_id: row.id }))
  }
  return row
}

export async function create(deps: Deps, items: readonly Accepted<NewGroup>[]): Promise<groupRows.GroupRow[]> {
  for (const { values } of items) {
    if (values.name === 'default') {
      throw conflict('SecurityGroupDefaultAlreadyExists', 'Default security group already exists.')
    }
  }
  await ensureDefaults(
    deps,
    items.map(({ values }) => values.project_id),
  )
  return await deps.database.write(async (trx) => {
    await claimAll(trx, deps, 'security_group', items)
    // One rule for each IP version, with which every group starts.
    await claimAll(trx, deps, 'security_group_rule', [...items, ...items])
    const made: groupRows.GroupRow[] = []
    for (const { values } of items) made.push((await insert(trx, deps.clock, values, false))!)
    return made
  })
}

/** As upstream: whoever works with a project's groups finds its default group there. */
export async function ensureDefaults(deps: Deps, projectIds: readonly string[]): Promise<void> {
  for (const projectId of new Set(projectIds)) {
    if (await groupRows.defaultOf(deps.database.read, projectId)) continue
    await deps.database.write((trx) => ensureDefault(trx, deps.clock, projectId))
  }
}

export async function update(deps: Deps, id: string, changes: GroupChanges): Promise<groupRows.GroupRow> {
  const group = await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    if (before.is_default && changes.name !== undefined && changes.name !== before.name) {
      throw conflict('SecurityGroupCannotUpdateDefault', 'Updating default security group not allowed.')
    }
    if (changes.name === 'default' && !before.is_default) {
      throw conflict('SecurityGroupDefaultAlreadyExists', 'Default security group already exists.')
    }
    const stateful = changes.stateful ?? before.stateful === 1
    if (flag(stateful) !== before.stateful && (await groupRows.isUsed(trx, id))) throw inUse(id)
    await groupRows.update(trx, id, {
      ...(changes.name !== undefined && { name: changes.name }),
      ...(changes.description !== undefined && { description: changes.description }),
      stateful: flag(stateful),
      updated_at: deps.clock.now(),
    })
    await changed(trx, [id])
    return await get(trx, id)
  })
  deps.nudge(loops.groups)
  return group
}

export async function remove(deps: Deps, id: string, byAdmin: boolean): Promise<void> {
  await deps.database.write(async (trx) => {
    const group = await get(trx, id)
    // An administrator may, so that a deleted project leaves nothing behind.
    if (group.is_default && !byAdmin) {
      throw conflict('SecurityGroupCannotRemoveDefault', 'Insufficient rights for removing default security group.')
    }
    if (await groupRows.isUsed(trx, id)) throw inUse(id)
    await changed(trx, [id, ...(await groupRows.naming(trx, id)), ...(await groupRows.namedBy(trx, [id]))])
    await groupRows.remove(trx, id)
    await removeOf(trx, id)
  })
  deps.nudge(loops.groups)
}

const inUse = (id: string) => conflict('SecurityGroupInUse', `Security Group ${id} in use.`)

/** Hosts must hear of these groups again: rules or members have changed. */
export async function changed(trx: Trx, groupIds: readonly string[]): Promise<void> {
  await groupRows.insertChanges(
    trx,
    [...new Set(groupIds)].map((group_id) => ({ id: newId(), group_id })),
  )
}

/** @throws CloudError `notFound` */
export async function get(db: Db, id: string): Promise<groupRows.GroupRow> {
  const group = await groupRows.find(db, id)
  if (!group) throw groupNotFound(id)
  return group
}
