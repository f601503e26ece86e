import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { absent, ask, otherwise } from './neighbours.ts'

export interface FloatingIp {
  id: string
  floating_ip_address: string
  floating_network_id: string
  fixed_ip_address: string | null
  port_id: string | null
  port_details: { device_id: string } | null
}

/** A pool is an external network. */
interface Pool {
  id: string
  name: string
}

const path = '/v2.0/floatingips'

/**
 * Proxies of Network until 2.35.
 * Source: Compute API reference, "Floating IPs (os-floating-ips)", "Floating IP pools (os-floating-ip-pools)".
 */
export function floatingIpRoutes(app: App, deps: Deps): void {
  const rule = (name: string) => ({ policy: `os_compute_api:os-floating-ips:${name}`, until: '2.35' })
  const one = { params: Type.Object({ id: Type.String() }) }

  app.get(
    '/os-floating-ip-pools',
    { config: { policy: 'os_compute_api:os-floating-ip-pools', until: '2.35' } },
    async (request) => ({
      floating_ip_pools: (await poolsOf(deps, request)).map(({ id, name }) => ({ name: name || id })),
    }),
  )

  app.get('/os-floating-ips', { config: rule('list') }, async (request) => {
    const [floating, pools] = await Promise.all([floatingIpsOf(deps, request), poolsOf(deps, request)])
    return { floating_ips: floating.map((ip) => view(ip, pools)) }
  })

  app.get('/os-floating-ips/:id', { config: rule('show'), schema: one }, async (request) => {
    const [floating, pools] = await Promise.all([find(request, request.params.id), poolsOf(deps, request)])
    return { floating_ip: view(floating, pools) }
  })

  const Pool = Type.Union([Type.Object({ pool: Type.Optional(Type.Union([Type.String(), Type.Null()])) }), Type.Null()])
  app.post('/os-floating-ips', { config: rule('create'), schema: { body: Pool } }, async (request) => {
    const named = request.body?.pool ?? null
    const pools = await poolsOf(deps, request)
    // Upstream's default pool is a setting; here it is the external network, when there is but one.
    const pool =
      named === null
        ? pools.length === 1
          ? pools[0]
          : undefined
        : pools.find(({ id, name }) => id === named || name === named)
    if (!pool) throw new CloudError('notFound', 'Floating IP pool not found.')
    const body = { floatingip: { floating_network_id: pool.id, project_id: request.ctx.projectId } }
    const inPool = named === null ? '' : ` in pool ${named}`
    const { floatingip } = await ask<{ floatingip: FloatingIp }>(deps.network, request, { method: 'POST', path, body })
      .catch(otherwise('forbidden', `IP allocation over quota${inPool}.`, ({ type }) => type === 'OverQuota'))
      .catch(
        otherwise('notFound', `No more floating IPs${inPool || ' available'}.`, ({ type }) =>
          ['ExternalIpAddressExhausted', 'IpAddressGenerationFailure'].includes(type ?? ''),
        ),
      )
    return { floating_ip: view(floatingip, pools) }
  })

  app.delete('/os-floating-ips/:id', { config: rule('delete'), schema: one }, async (request, reply) => {
    const { id } = await find(request, request.params.id)
    await ask(deps.network, request, { method: 'DELETE', path: `${path}/${id}` })
    return reply.code(202).send()
  })

  async function find(request: FastifyRequest, id: string): Promise<FloatingIp> {
    const { floatingip } = await ask<{ floatingip: FloatingIp }>(deps.network, request, {
      path: `${path}/${encodeURIComponent(id)}`,
    }).catch(otherwise('notFound', `Floating IP not found for ID ${id}`, absent))
    return floatingip
  }
}

async function poolsOf(deps: Deps, request: FastifyRequest): Promise<Pool[]> {
  const query = { 'router:external': 'true', fields: ['id', 'name'] }
  const { networks } = await ask<{ networks: Pool[] }>(deps.network, request, { path: '/v2.0/networks', query })
  return networks
}

/** The caller's project's; `address` picks one. */
export async function floatingIpsOf(deps: Deps, request: FastifyRequest, address?: string): Promise<FloatingIp[]> {
  const query = {
    project_id: request.ctx.projectId ?? '',
    ...(address === undefined ? {} : { floating_ip_address: address }),
  }
  return (await ask<{ floatingips: FloatingIp[] }>(deps.network, request, { path, query })).floatingips
}

/** Where a floating IP leads: to a port, or (null) nowhere. */
export async function lead(
  deps: Deps,
  request: FastifyRequest,
  id: string,
  to: { portId: string; fixedIp: string } | null,
): Promise<void> {
  const floatingip = to ? { port_id: to.portId, fixed_ip_address: to.fixedIp } : { port_id: null }
  await ask(deps.network, request, { method: 'PUT', path: `${path}/${id}`, body: { floatingip } })
}

const view = (ip: FloatingIp, pools: readonly Pool[]) => ({
  ...{ id: ip.id, ip: ip.floating_ip_address, fixed_ip: ip.fixed_ip_address },
  pool: pools.find(({ id }) => id === ip.floating_network_id)?.name || ip.floating_network_id,
  instance_id: ip.port_details?.device_id || null,
})
