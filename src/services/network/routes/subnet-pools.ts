import type { FastifyRequest } from 'fastify'
import { seconds } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import * as poolRows from '../db/subnet-pools.ts'
import { tagsOf } from '../db/tags.ts'
import { subnetPool } from '../logic/address-plan-resources.ts'
import type { Deps } from '../logic/deps.ts'
import { onboard } from '../logic/pool-allocation.ts'
import * as pools from '../logic/subnet-pools.ts'
import * as is from '../logic/values.ts'
import { type Chapter, crud, seenRow, type View } from './crud.ts'
import { partOf } from './parts.ts'

/** Source: Network API reference, "Subnet pools". */
export function subnetPoolRoutes(app: App, deps: Deps): void {
  const chapter: Chapter<poolRows.SubnetPoolRow, pools.NewSubnetPool, pools.SubnetPoolChanges> = {
    resource: subnetPool,
    path: '/v2.0/subnetpools',
    list: poolRows.list,
    find: poolRows.find,
    notFound: pools.subnetPoolNotFound,
    sharedAs: 'subnetpool',
    tagged: { table: 'network_subnet_pools' },
    views: async (rows) => rows.map(viewOf),
    create: (deps, request, items) => pools.create(deps, request.ctx, items),
    update: (deps, request, id, changes) => pools.update(deps, request.ctx, id, changes),
    remove: (deps, _request, id) => pools.remove(deps, id),
  }
  crud(app, deps, chapter)

  const rule = (policy: string) => ({ config: { policy, check: 'handler' } as const })
  async function allowed(request: FastifyRequest): Promise<string> {
    const { id } = request.params as { id: string }
    request.enforce((await seenRow(request, deps, chapter, id)).target)
    return id
  }
  const prefixes = (request: FastifyRequest) =>
    partOf(request.body, 'subnetpool', 'prefixes', is.list(is.cidr, 'subnet'))
  const answer = (row: poolRows.SubnetPoolRow) => ({ prefixes: JSON.parse(row.prefixes) as unknown })

  app.put('/v2.0/subnetpools/:id/add_prefixes', rule('add_prefixes'), async (request) =>
    answer(await pools.addPrefixes(deps, request.ctx, await allowed(request), prefixes(request))),
  )
  app.put('/v2.0/subnetpools/:id/remove_prefixes', rule('remove_prefixes'), async (request) =>
    answer(await pools.removePrefixes(deps, request.ctx, await allowed(request), prefixes(request))),
  )
  app.put('/v2.0/subnetpools/:id/onboard_network_subnets', rule('onboard_network_subnets'), async (request) => {
    const networkId = partOf(request.body, 'subnetpool', 'network_id', is.uuid)
    await onboard(deps, request.ctx, await allowed(request), networkId)
    return {}
  })
}

/** Lengths are text on the wire, as Neutron has them. */
const viewOf = (row: poolRows.SubnetPoolRow): View => ({
  id: row.id,
  name: row.name,
  tenant_id: row.project_id,
  prefixes: JSON.parse(row.prefixes) as unknown,
  default_quota: row.default_quota,
  ip_version: row.ip_version,
  default_prefixlen: `${row.default_prefixlen}`,
  min_prefixlen: `${row.min_prefixlen}`,
  max_prefixlen: `${row.max_prefixlen}`,
  is_default: row.is_default === 1,
  address_scope_id: row.address_scope_id,
  description: row.description,
  tags: tagsOf(row),
  created_at: seconds(row.created_at),
  updated_at: seconds(row.updated_at),
  revision_number: row.revision_number,
  project_id: row.project_id,
})
