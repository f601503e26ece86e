import type { FastifyRequest } from 'fastify'
import { seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import * as groupRows from '../db/address-groups.ts'
import * as scopeRows from '../db/address-scopes.ts'
import * as groups from '../logic/address-groups.ts'
import { addressesToRemove, addressGroup, addressList, addressScope } from '../logic/address-plan-resources.ts'
import * as scopes from '../logic/address-scopes.ts'
import type { Deps } from '../logic/deps.ts'
import { type Chapter, crud, seenRow, type View } from './crud.ts'
import { partOf } from './parts.ts'

/** Source: Network API reference, "Address scopes". */
export function addressScopeRoutes(app: App, deps: Deps): void {
  crud<scopeRows.AddressScopeRow, scopes.NewAddressScope, scopes.AddressScopeChanges>(app, deps, {
    resource: addressScope,
    path: '/v2.0/address-scopes',
    list: scopeRows.list,
    find: scopeRows.find,
    notFound: scopes.addressScopeNotFound,
    sharedAs: 'address_scope',
    views: async (rows) =>
      rows.map((row) => ({
        id: row.id,
        name: row.name,
        tenant_id: row.project_id,
        ip_version: row.ip_version,
        project_id: row.project_id,
      })),
    create: (deps, _request, items) => scopes.create(deps, items),
    update: (deps, _request, id, changes) => scopes.update(deps, id, changes),
    remove: (deps, _request, id) => scopes.remove(deps, id),
  })
}

/** Source: Network API reference, "Address groups". */
export function addressGroupRoutes(app: App, deps: Deps): void {
  const chapter: Chapter<groupRows.AddressGroupRow, groups.NewAddressGroup, groups.AddressGroupChanges> = {
    resource: addressGroup,
    path: '/v2.0/address-groups',
    list: groupRows.list,
    find: groupRows.find,
    notFound: groups.addressGroupNotFound,
    sharedAs: 'address_group',
    views: async (rows) => rows.map(groupView),
    create: (deps, _request, items) => groups.create(deps, items),
    update: (deps, _request, id, changes) => groups.update(deps, id, changes),
    remove: (deps, _request, id) => groups.remove(deps, id),
  }
  crud(app, deps, chapter)

  const rule = { config: { policy: 'update_address_group', check: 'handler' } as const }
  async function named(request: FastifyRequest, parse = addressList): Promise<{ id: string; addresses: string[] }> {
    const { id } = request.params as { id: string }
    request.enforce((await seenRow(request, deps, chapter, id)).target)
    return { id, addresses: partOf(request.body, 'address_group', 'addresses', parse) }
  }
  app.put('/v2.0/address-groups/:id/add_addresses', rule, async (request) => {
    const { id, addresses } = await named(request)
    await groups.changeAddresses(deps, id, (old) => groups.withAddresses(old, addresses))
    return { address_group: (await seenRow(request, deps, chapter, id)).view }
  })
  app.put('/v2.0/address-groups/:id/remove_addresses', rule, async (request) => {
    const { id, addresses } = await named(request, addressesToRemove)
    await groups.changeAddresses(deps, id, (old) => groups.withoutAddresses(id, old, addresses))
    return { address_group: (await seenRow(request, deps, chapter, id)).view }
  })
}

const groupView = (row: groupRows.AddressGroupRow): View => ({
  id: row.id,
  name: row.name,
  description: row.description,
  tenant_id: row.project_id,
  addresses: JSON.parse(row.addresses) as unknown,
  created_at: seconds(row.created_at),
  updated_at: seconds(row.updated_at),
  revision_number: row.revision_number,
  project_id: row.project_id,
})
