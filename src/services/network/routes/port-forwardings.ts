import type { FastifyRequest } from 'fastify'
import type { App } from '../../../platform/http/app.ts'
import * as floatingRows from '../db/floating-ips.ts'
import * as forwardingRows from '../db/port-forwardings.ts'
import { acceptCreate, acceptUpdate } from '../logic/attributes.ts'
import type { Deps } from '../logic/deps.ts'
import * as forwardings from '../logic/port-forwardings.ts'
import { floatingIpNotFound } from '../logic/router-errors.ts'
import type { View } from './crud.ts'
import { fieldsOf, matching, selected } from './query.ts'

interface Params {
  floating: string
  id: string
}

/** Source: Network API reference, "Floating IPs port forwarding". */
export function portForwardingRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const path = '/v2.0/floatingips/:floating/port_forwardings'
  const resource = forwardings.portForwarding
  const rule = (action: string) => ({
    config: { policy: `${action}_floatingip_port_forwarding`, check: 'handler' } as const,
  })
  /** The floating IP, if the caller may do this with its forwardings. */
  async function allowed(request: FastifyRequest): Promise<Params> {
    const params = request.params as Params
    const row = await floatingRows.find(db, params.floating)
    const owner = { project_id: row?.project_id, tenant_id: row?.project_id }
    if (!row || !request.can(owner, 'get_floatingip')) throw floatingIpNotFound(params.floating)
    request.enforce({ ...owner, 'ext_parent:tenant_id': row.project_id })
    return params
  }

  app.get(path, rule('get'), async (request) => {
    const { floating } = await allowed(request)
    const views = (await forwardingRows.ofFloatingIps(db, [floating])).map(viewOf)
    return { port_forwardings: matching(request, resource, views).map((view) => selected(view, fieldsOf(request))) }
  })
  app.post(path, rule('create'), async (request, reply) => {
    const { floating } = await allowed(request)
    const { bulk, items } = acceptCreate<forwardings.PortForwardingWish>(resource, request.ctx, request.body)
    const views: View[] = []
    for (const { values } of items) {
      views.push(viewOf(await forwardings.set(deps, request.ctx, floating, values, null)))
    }
    return reply.code(201).send(bulk ? { port_forwardings: views } : { port_forwarding: views[0] })
  })
  app.get(`${path}/:id`, rule('get'), async (request) => {
    const { floating, id } = await allowed(request)
    return { port_forwarding: selected(viewOf(await forwardings.get(db, floating, id)), fieldsOf(request)) }
  })
  app.put(`${path}/:id`, rule('update'), async (request) => {
    const { floating, id } = await allowed(request)
    const { values } = acceptUpdate<forwardings.PortForwardingWish>(resource, request.body)
    return { port_forwarding: viewOf(await forwardings.set(deps, request.ctx, floating, values, id)) }
  })
  app.delete(`${path}/:id`, rule('delete'), async (request, reply) => {
    const { floating, id } = await allowed(request)
    await forwardings.remove(deps, floating, id)
    return reply.code(204).send()
  })
}

/** A single port is shown as one, and as a range of one. */
const portsView = (row: forwardingRows.PortForwardingRow): View => ({
  ...(row.external_first === row.external_last && { external_port: row.external_first }),
  ...(row.internal_first === row.internal_last && { internal_port: row.internal_first }),
})

const viewOf = (row: forwardingRows.PortForwardingRow): View => ({
  id: row.id,
  internal_port_id: row.internal_port_id,
  internal_ip_address: row.internal_ip_address,
  protocol: row.protocol,
  ...portsView(row),
  external_port_range: `${row.external_first}:${row.external_last}`,
  internal_port_range: `${row.internal_first}:${row.internal_last}`,
  description: row.description,
})

/** What a floating IP shows of each. Source: extensions `expose-port-forwarding-in-fip`, `…-detail`. */
export const forwardingInFloatingIp = (row: forwardingRows.PortForwardingRow): View => ({
  id: row.id,
  internal_port_id: row.internal_port_id,
  internal_ip_address: row.internal_ip_address,
  protocol: row.protocol,
  ...portsView(row),
  ...(row.external_first !== row.external_last && {
    external_port_range: `${row.external_first}:${row.external_last}`,
    internal_port_range: `${row.internal_first}:${row.internal_last}`,
  }),
})
