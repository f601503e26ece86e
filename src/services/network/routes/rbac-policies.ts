import type { App } from '../../../platform/http/app.ts'
import * as rbacRows from '../db/rbac.ts'
import type { Deps } from '../logic/deps.ts'
import * as rbac from '../logic/rbac.ts'
import { crud, type View } from './crud.ts'

/** Source: Network API reference, "RBAC Policies". */
export function rbacPolicyRoutes(app: App, deps: Deps): void {
  crud<rbacRows.RbacRow, rbac.NewRbacPolicy, rbac.RbacPolicyChanges>(app, deps, {
    resource: rbac.rbacPolicy,
    path: '/v2.0/rbac-policies',
    list: rbacRows.list,
    find: rbacRows.find,
    notFound: rbac.rbacPolicyNotFound,
    views: async (rows) => rows.map(viewOf),
    create: (deps, request, items) => rbac.create(deps, request.ctx, items),
    update: (deps, request, id, changes) => rbac.update(deps, request.ctx, id, changes),
    remove: (deps, request, id) => rbac.remove(deps, request.ctx, id),
  })
}

const viewOf = (row: rbacRows.RbacRow): View => ({
  id: row.id,
  tenant_id: row.project_id,
  object_type: row.object_type,
  object_id: row.object_id,
  target_tenant: row.target_project,
  action: row.action,
  project_id: row.project_id,
})
