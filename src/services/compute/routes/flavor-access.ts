import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import * as flavors from '../logic/flavors.ts'
import { since } from './common.ts'

const strict = { additionalProperties: false }
const Tenant = Type.Object(
  { tenant: Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-]*$' }) },
  strict,
)
const Change = Type.Object(
  { addTenantAccess: Type.Optional(Tenant), removeTenantAccess: Type.Optional(Tenant) },
  strict,
)

/** Source: Compute API reference, "Flavors access". */
export function flavorAccessRoutes(app: App, deps: Deps): void {
  const root = 'os_compute_api:os-flavor-access'
  const one = { params: Type.Object({ id: Type.String() }) }
  const view = (id: string, projects: readonly string[]) => ({
    flavor_access: projects.map((tenant_id) => ({ flavor_id: id, tenant_id })),
  })

  app.get('/flavors/:id/os-flavor-access', { config: { policy: root }, schema: one }, async ({ params }) =>
    view(params.id, await flavors.accessOf(deps, params.id)),
  )

  app.post(
    '/flavors/:id/action',
    { config: { policy: root, check: 'handler' }, schema: { ...one, body: Change } },
    async (request) => {
      const { addTenantAccess: give, removeTenantAccess: take } = request.body
      const { id } = request.params
      if (give && !take) {
        request.enforce({}, `${root}:add_tenant_access`)
        return view(id, await flavors.giveAccess(deps, id, give.tenant, since(request, '2.7')))
      }
      if (take && !give) {
        request.enforce({}, `${root}:remove_tenant_access`)
        return view(id, await flavors.takeAccess(deps, id, take.tenant))
      }
      throw new CloudError(
        'badRequest',
        'There is no such action: a flavor takes addTenantAccess or removeTenantAccess',
      )
    },
  )
}
