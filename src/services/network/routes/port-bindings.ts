import type { FastifyRequest } from 'fastify'
import type { App } from '../../../platform/http/app.ts'
import { acceptCreate, acceptUpdate, type Resource } from '../logic/attributes.ts'
import type { Deps } from '../logic/deps.ts'
import * as bindings from '../logic/port-bindings.ts'
import { portProfile } from '../logic/resources.ts'
import * as is from '../logic/values.ts'
import { fieldsOf, matching, selected } from './query.ts'

const binding: Resource = {
  singular: 'binding',
  plural: 'bindings',
  attributes: {
    host: { post: true, required: true, parse: is.text(255) },
    ...{ vif_type: {}, vif_details: {}, status: {}, project_id: {} },
    vnic_type: { post: true, put: true, parse: is.oneOf('normal') },
    profile: { post: true, put: true, parse: portProfile },
  },
}

/** Source: Network API reference, "Port bindings" (extension `binding-extended`). */
export function portBindingRoutes(app: App, deps: Deps): void {
  const path = '/v2.0/ports/:id/bindings'
  const params = (request: FastifyRequest) => request.params as { id: string; host: string }
  const rule = (action: string) => ({ config: { policy: `${action}_port_binding` } })
  const viewOf = (one: bindings.Binding) => ({
    ...one,
    vif_type: one.status === 'ACTIVE' ? 'bridge' : 'unbound',
    vif_details: one.status === 'ACTIVE' ? { port_filter: true, connectivity: 'l2' } : {},
  })

  app.get(path, rule('get'), async (request) => {
    const all = (await bindings.list(deps.database.read, params(request).id)).map(viewOf)
    return { bindings: matching(request, binding, all).map((one) => selected(one, fieldsOf(request))) }
  })
  app.post(path, rule('create'), async (request, reply) => {
    type Wish = bindings.BindingWish & { host: string }
    const [item] = acceptCreate<Wish>(binding, request.ctx, request.body).items
    return reply.code(201).send({ binding: viewOf(await bindings.create(deps, params(request).id, item!.values)) })
  })
  app.get(`${path}/:host`, rule('get'), async (request) => {
    const { id, host } = params(request)
    return { binding: viewOf(await bindings.get(deps.database.read, id, host)) }
  })
  app.put(`${path}/:host`, rule('update'), async (request) => {
    const { id, host } = params(request)
    const { values } = acceptUpdate<bindings.BindingWish>(binding, request.body)
    return { binding: viewOf(await bindings.update(deps, id, host, values)) }
  })
  app.put(`${path}/:host/activate`, rule('update'), async (request) => {
    const { id, host } = params(request)
    return viewOf(await bindings.activate(deps, id, host))
  })
  app.delete(`${path}/:host`, rule('delete'), async (request, reply) => {
    const { id, host } = params(request)
    await bindings.remove(deps, id, host)
    return reply.code(204).send()
  })
}
