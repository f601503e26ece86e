import { seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import * as groupRows from '../db/security-groups.ts'
import { tagsOf } from '../db/tags.ts'
import type { Deps } from '../logic/deps.ts'
import { groupNotFound } from '../logic/errors.ts'
import { securityGroup } from '../logic/resources.ts'
import * as groups from '../logic/security-groups.ts'
import { crud, type View } from './crud.ts'
import { ruleView } from './security-group-rules.ts'

/** Source: Network API reference, "Security groups". */
export function securityGroupRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  crud<groupRows.GroupRow, groups.NewGroup, groups.GroupChanges>(app, deps, {
    resource: securityGroup,
    path: '/v2.0/security-groups',
    list: groupRows.list,
    find: groupRows.find,
    notFound: groupNotFound,
    sharedAs: 'security_group',
    tagged: { table: 'network_security_groups' },
    prepare: (projectId) => groups.ensureDefaults(deps, [projectId]),
    async views(rows) {
      const rules = await groupRows.rulesOf(
        db,
        rows.map((row) => row.id),
      )
      const byGroup = Map.groupBy(rules, (rule) => rule.group_id)
      return rows.map((row) => viewOf(row, byGroup.get(row.id) ?? []))
    },
    create: (deps, _request, items) => groups.create(deps, items),
    update: (deps, _request, id, changes) => groups.update(deps, id, changes),
    remove: (deps, request, id) => groups.remove(deps, id, request.ctx.isAdmin),
  })
}

function viewOf(row: groupRows.GroupRow, rules: readonly groupRows.RuleRow[]): View {
  return {
    id: row.id,
    name: row.name,
    stateful: row.stateful === 1,
    tenant_id: row.project_id,
    description: row.description,
    security_group_rules: rules.map(ruleView),
    tags: tagsOf(row),
    created_at: seconds(row.created_at),
    updated_at: seconds(row.updated_at),
    revision_number: row.revision_number,
    project_id: row.project_id,
  }
}
