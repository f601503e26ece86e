import type { Context } from '../../../platform/auth/context.ts'
import type { Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as portRows from '../db/ports.ts'
import * as groupRows from '../db/security-groups.ts'
import { isKind } from './attributes.ts'
import { type Deps, loops } from './deps.ts'
import { groupNotFound, ruleNotFound } from './errors.ts'
import * as ports from './ports.ts'
import * as rules from './security-group-rules.ts'
import * as groups from './security-groups.ts'

/** A security group as Compute's old API shows it: with its ingress rules alone. */
export interface ComputeGroup {
  id: string
  name: string
  description: string
  projectId: string
  rules: ComputeGroupRule[]
}

export interface ComputeGroupRule {
  id: string
  groupId: string
  protocol: string | null
  portMin: number | null
  portMax: number | null
  cidr: string | null
  remote: { id: string; name: string; projectId: string } | null
}

export type NewComputeRule = Pick<ComputeGroupRule, 'groupId' | 'protocol' | 'portMin' | 'portMax' | 'cidr'> & {
  remoteGroupId: string | null
}

/** Security groups for Compute's proxies of them. Source: Compute API reference, "Security groups (os-security-groups)". */
export interface ComputeGroups {
  list(ctx: Context, allProjects: boolean): Promise<ComputeGroup[]>
  get(ctx: Context, id: string): Promise<ComputeGroup>
  create(ctx: Context, wanted: { name: string; description: string }): Promise<ComputeGroup>
  update(ctx: Context, id: string, wanted: { name?: string; description?: string }): Promise<ComputeGroup>
  remove(ctx: Context, id: string): Promise<void>
  createRule(ctx: Context, wanted: NewComputeRule): Promise<ComputeGroupRule>
  removeRule(ctx: Context, id: string): Promise<void>
  ofServer(serverId: string): Promise<ComputeGroup[]>
  /** Puts every port of a server into a group (by name or id), or takes them out of it. */
  join(ctx: Context, server: { id: string; projectId: string }, nameOrId: string): Promise<void>
  leave(ctx: Context, server: { id: string; projectId: string }, nameOrId: string): Promise<void>
}

export function computeGroups(deps: Deps): ComputeGroups {
  const { read } = deps.database
  const sees = (ctx: Context, row: { project_id: string }) => ctx.isAdmin || row.project_id === ctx.projectId

  async function visible(ctx: Context, id: string): Promise<groupRows.GroupRow> {
    const row = await groupRows.find(read, id)
    if (!row || !sees(ctx, row)) throw groupNotFound(id)
    return row
  }

  async function get(ctx: Context, id: string): Promise<ComputeGroup> {
    const [group] = await whole(read, [await visible(ctx, id)])
    return group!
  }

  async function change(
    ctx: Context,
    server: { id: string; projectId: string },
    nameOrId: string,
    next: (held: readonly string[], groupId: string) => string[],
  ): Promise<void> {
    await groups.ensureDefaults(deps, [server.projectId])
    await deps.database.write(async (trx) => {
      const found = await groupRows.named(trx, server.projectId, nameOrId)
      const group = found.find(({ id }) => id === nameOrId) ?? found[0]
      if (!group) {
        const text = `Security group ${nameOrId} not found for project ${server.projectId}.`
        throw new CloudError('notFound', text)
      }
      if (group.id !== nameOrId && found.length > 1) {
        const text = `Multiple security groups found matching '${nameOrId}'. Use an ID to be more specific.`
        throw new CloudError('conflict', text)
      }
      const plugged = await portRows.ofDevices(trx, [server.id])
      if (plugged.length === 0) {
        const text = `instance_id ${server.id} could not be found as device id on any ports`
        throw new CloudError('notFound', text)
      }
      const nics = plugged.filter((port) => port.port_security_enabled === 1)
      const held = await portRows.groupsOf(
        trx,
        nics.map((port) => port.id),
      )
      for (const nic of nics) {
        const security_groups = next(held.get(nic.id) ?? [], group.id)
        await ports.change(trx, deps, ctx, nic, { security_groups })
      }
    })
    deps.nudge(loops.ports)
    deps.nudge(loops.groups)
  }

  return {
    async list(ctx, allProjects) {
      if (ctx.projectId) await groups.ensureDefaults(deps, [ctx.projectId])
      return whole(read, await groupRows.ofProject(read, allProjects && ctx.isAdmin ? null : (ctx.projectId ?? '')))
    },
    get,
    async create(ctx, { name, description }) {
      const values = { project_id: ctx.projectId ?? '', name, description, stateful: true }
      const [made] = await refusedAsBad(() => groups.create(deps, [{ values, named: new Set() }]))
      return get(ctx, made!.id)
    },
    async update(ctx, id, wanted) {
      await visible(ctx, id)
      await refusedAsBad(() => groups.update(deps, id, wanted))
      return get(ctx, id)
    },
    async remove(ctx, id) {
      await visible(ctx, id)
      await refusedAsBad(() => groups.remove(deps, id, false))
    },
    async createRule(ctx, { groupId, remoteGroupId, protocol, portMin, portMax, cidr }) {
      const group = await visible(ctx, groupId)
      if (remoteGroupId !== null) await visible(ctx, remoteGroupId)
      const values: rules.NewRule = {
        ...{ project_id: group.project_id, security_group_id: groupId, direction: 'ingress', protocol },
        ...{ ethertype: cidr?.includes(':') ? 'IPv6' : 'IPv4', port_range_min: portMin, port_range_max: portMax },
        ...{ remote_ip_prefix: cidr, remote_group_id: remoteGroupId, remote_address_group_id: null, description: '' },
      }
      const [made] = await refusedAsBad(() => rules.create(deps, ctx, [{ values, named: new Set() }]))
      const after = await get(ctx, groupId)
      return after.rules.find((rule) => rule.id === made!.id)!
    },
    async removeRule(ctx, id) {
      const rule = await groupRows.findRule(read, id)
      if (!rule || !sees(ctx, rule)) throw ruleNotFound(id)
      await rules.remove(deps, id)
    },
    async ofServer(serverId) {
      const nics = await portRows.ofDevices(read, [serverId])
      const held = await portRows.groupsOf(
        read,
        nics.map((port) => port.id),
      )
      const rows = await groupRows.byIds(read, [...new Set([...held.values()].flat())])
      return whole(read, [...rows.values()])
    },
    join: (ctx, server, name) => change(ctx, server, name, (held, id) => [...new Set([...held, id])]),
    async leave(ctx, server, name) {
      let held = false
      await change(ctx, server, name, (ids, id) => {
        held ||= ids.includes(id)
        return ids.filter((other) => other !== id)
      })
      if (held) return
      const text = `Security group ${name} not associated with the instance ${server.id}`
      throw new CloudError('notFound', text)
    },
  }
}

/** With their ingress rules; a rule whose remote group is gone is gone too. */
async function whole(db: Db, rows: readonly groupRows.GroupRow[]): Promise<ComputeGroup[]> {
  const all = await groupRows.rulesOf(
    db,
    rows.map((row) => row.id),
  )
  const ingress = all.filter((rule) => rule.direction === 'ingress')
  const remotes = await groupRows.byIds(db, [...new Set(ingress.flatMap((rule) => rule.remote_group_id ?? []))])
  const byGroup = Map.groupBy(ingress, (rule) => rule.group_id)
  const ruleOf = (rule: groupRows.RuleRow): ComputeGroupRule => {
    const remote = rule.remote_group_id === null ? undefined : remotes.get(rule.remote_group_id)
    return {
      ...{ id: rule.id, groupId: rule.group_id, protocol: rule.protocol },
      ...{ portMin: rule.port_range_min, portMax: rule.port_range_max, cidr: rule.remote_ip_prefix },
      remote: remote ? { id: remote.id, name: remote.name, projectId: remote.project_id } : null,
    }
  }
  return rows.map((row) => ({
    ...{ id: row.id, name: row.name, description: row.description, projectId: row.project_id },
    rules: (byGroup.get(row.id) ?? []).map(ruleOf),
  }))
}

/** Compute's proxies know no 409 but for a full quota, which they call forbidden. */
async function refusedAsBad<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isKind(error, 'conflict')) throw error
    throw new CloudError(error.type === 'OverQuota' ? 'forbidden' : 'badRequest', error.message, { cause: error })
  }
}
