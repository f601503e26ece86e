import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { absent, ask, otherwise } from './neighbours.ts'

interface Network {
  id: string
  name: string
  subnets: string[]
}

/** What was of use when Compute had networks of its own: nulls now. */
const fields = ['cidr', 'netmask', 'gateway', 'broadcast', 'dns1', 'dns2', 'cidr_v6', 'gateway_v6', 'netmask_v6']
const adminFields = [
  ...['created_at', 'updated_at', 'deleted_at', 'deleted', 'injected', 'bridge', 'vlan', 'vpn_public_address'],
  ...['vpn_public_port', 'vpn_private_address', 'dhcp_start', 'project_id', 'host', 'bridge_interface', 'multi_host'],
  ...['priority', 'rxtx_base', 'mtu', 'dhcp_server', 'enable_dhcp', 'share_address'],
]

/**
 * Proxies of Network until 2.35.
 * Source: Compute API reference, "Networks (os-networks)", "Project networks (os-tenant-networks)".
 */
export function networkRoutes(app: App, deps: Deps): void {
  const one = { params: Type.Object({ id: Type.String() }) }
  const collections = [
    ['os-networks', fullView],
    ['os-tenant-networks', shortView],
  ] as const
  for (const [collection, view] of collections) {
    const rule = (name: string) => ({ policy: `os_compute_api:${collection}:${name}`, until: '2.35' })
    app.get(`/${collection}`, { config: rule('list') }, async (request) => ({
      networks: (await networksOf(deps, request)).map((network) => view(request, network)),
    }))
    app.get(`/${collection}/:id`, { config: rule('show'), schema: one }, async (request) => {
      const path = `/v2.0/networks/${encodeURIComponent(request.params.id)}`
      const { network } = await ask<{ network: Network }>(deps.network, request, { path }).catch(
        otherwise('notFound', 'Network not found', absent),
      )
      return { network: view(request, network) }
    })
  }
}

/** The caller's own and those shared with them; an administrator's are all. */
async function networksOf(deps: Deps, request: FastifyRequest): Promise<Network[]> {
  const { networks } = await ask<{ networks: Network[] }>(deps.network, request, { path: '/v2.0/networks' })
  return networks
}

function fullView({ ctx }: FastifyRequest, { id, name }: Network) {
  const nulls = [...fields, ...(ctx.isAdmin ? adminFields : [])].map((field) => [field, null] as const)
  return { id, label: name, ...Object.fromEntries(nulls) }
}

/** `None` as a text is what this has said since networks are Network's. */
const shortView = (_request: FastifyRequest, { id, name }: Network) => ({ id, cidr: 'None', label: name })
