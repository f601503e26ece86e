import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { check } from '../../../platform/http/validation.ts'
import { dashed } from '../../../platform/ids.ts'
import * as interfaceRows from '../db/interfaces.ts'
import type { Deps, ServerPort } from '../logic/deps.ts'
import * as interfaces from '../logic/interfaces.ts'
import { IpAddress, since, Tag, Uuid, versioned } from './common.ts'
import { findServer } from './find-server.ts'

const strict = { additionalProperties: false }
const wanted = versioned(['2.1', '2.49'], (at) =>
  Type.Object(
    {
      interfaceAttachment: Type.Optional(
        Type.Object(
          {
            net_id: Type.Optional(Uuid),
            port_id: Type.Optional(Uuid),
            fixed_ips: Type.Optional(
              Type.Array(Type.Object({ ip_address: IpAddress }, strict), { minItems: 1, maxItems: 1 }),
            ),
            ...(at('2.49') ? { tag: Type.Optional(Tag) } : {}),
          },
          strict,
        ),
      ),
    },
    strict,
  ),
)

interface Wanted {
  interfaceAttachment?: { net_id?: string; port_id?: string; fixed_ips?: { ip_address: string }[]; tag?: string }
}

/** Source: Compute API reference, "Port interfaces (servers, os-interface)". */
export function interfaceRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const config = (name: string) => ({
    policy: `os_compute_api:os-attach-interfaces:${name}`,
    check: 'handler' as const,
  })
  const ofServer = { params: Type.Object({ id: Type.String() }) }
  const one = { params: Type.Object({ id: Type.String(), portId: Type.String() }) }
  const portsOf = async (id: string) => (await deps.network.serverPorts(read, [id])).get(id) ?? []
  const tagsOf = async (request: FastifyRequest, id: string) =>
    since(request, '2.70') ? await interfaceRows.tags(read, id) : null

  app.get('/servers/:id/os-interface', { config: config('list'), schema: ofServer }, async (request) => {
    const { id } = await findServer(deps, request, request.params.id)
    const tags = await tagsOf(request, id)
    return { interfaceAttachments: (await portsOf(id)).map((port) => view(port, tags)) }
  })

  app.get('/servers/:id/os-interface/:portId', { config: config('show'), schema: one }, async (request) => {
    const { id } = await findServer(deps, request, request.params.id)
    const { portId } = request.params
    const port = (await portsOf(id)).find((candidate) => candidate.portId === portId)
    if (!port) throw new CloudError('notFound', `Instance ${id} does not have a port with id ${portId}`)
    return { interfaceAttachment: view(port, await tagsOf(request, id)) }
  })

  app.post('/servers/:id/os-interface', { config: config('create'), schema: ofServer }, async (request) => {
    const { id } = await findServer(deps, request, request.params.id)
    const { interfaceAttachment = {} } = check<Wanted>(wanted(request.microversion), request.body ?? {})
    const { net_id, port_id, fixed_ips, tag = null } = interfaceAttachment
    const fixedIp = fixed_ips?.[0]?.ip_address
    const networks = interfaces.networksOf({
      ...(net_id ? { networkId: dashed(net_id) } : {}),
      ...(port_id ? { portId: dashed(port_id) } : {}),
      ...(fixedIp ? { fixedIp } : {}),
    })
    const port = await interfaces.attach(deps, request.ctx, id, { networks, tag })
    return { interfaceAttachment: view(port, await tagsOf(request, id)) }
  })

  app.delete('/servers/:id/os-interface/:portId', { config: config('delete'), schema: one }, async (request, reply) => {
    const { id } = await findServer(deps, request, request.params.id)
    await interfaces.detach(deps, request.ctx, id, request.params.portId)
    return reply.code(202).send()
  })
}

const view = (port: ServerPort, tags: Map<string, string> | null) => ({
  net_id: port.networkId,
  port_id: port.portId,
  mac_addr: port.macAddress,
  port_state: port.status,
  fixed_ips: port.fixedIps.map(({ subnetId, ipAddress }) => ({ subnet_id: subnetId, ip_address: ipAddress })),
  ...(tags ? { tag: tags.get(port.portId) ?? null } : {}),
})
