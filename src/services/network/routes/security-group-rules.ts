import { seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import * as groupRows from '../db/security-groups.ts'
import type { Deps } from '../logic/deps.ts'
import { groupNotFound, ruleNotFound } from '../logic/errors.ts'
import { securityGroupRule } from '../logic/resources.ts'
import * as rules from '../logic/security-group-rules.ts'
import { ensureDefaults } from '../logic/security-groups.ts'
import { crud, type View } from './crud.ts'

/** Source: Network API reference, "Security group rules". */
export function securityGroupRuleRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  crud<groupRows.RuleRow, rules.NewRule, never>(app, deps, {
    resource: securityGroupRule,
    path: '/v2.0/security-group-rules',
    list: groupRows.listRules,
    find: groupRows.findRule,
    notFound: ruleNotFound,
    prepare: (projectId) => ensureDefaults(deps, [projectId]),
    views: async (rows) => rows.map(ruleView),
    async surroundings(things, request) {
      const ids = things.map((thing) => ('group_id' in thing ? thing.group_id : thing.security_group_id))
      const groups = await groupRows.byIds(db, [...new Set(ids)])
      return things.map((thing, i) => {
        const group = groups.get(ids[i]!)
        const owner = { project_id: group?.project_id, tenant_id: group?.project_id }
        // A group the caller does not see is no place to put a rule.
        if (!('id' in thing) && !(group && request.can(owner, 'get_security_group'))) throw groupNotFound(ids[i]!)
        return { 'security_group:tenant_id': group?.project_id }
      })
    },
    create: (deps, request, items) => rules.create(deps, request.ctx, items),
    remove: (deps, _request, id) => rules.remove(deps, id),
  })
}

export function ruleView(row: groupRows.RuleRow): View {
  return {
    id: row.id,
    tenant_id: row.project_id,
    security_group_id: row.group_id,
    ethertype: row.ethertype,
    direction: row.direction,
    protocol: row.protocol,
    port_range_min: row.port_range_min,
    port_range_max: row.port_range_max,
    remote_ip_prefix: row.remote_ip_prefix,
    remote_group_id: row.remote_group_id,
    remote_address_group_id: row.remote_address_group_id,
    normalized_cidr: rules.normalizedCidr(row.remote_ip_prefix),
    description: row.description,
    created_at: seconds(row.created_at),
    updated_at: seconds(row.updated_at),
    revision_number: row.revision_number,
    project_id: row.project_id,
  }
}
