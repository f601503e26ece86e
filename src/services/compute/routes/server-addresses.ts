import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { findServer } from './find-server.ts'
import { addressesView } from './server-view.ts'

/** Source: Compute API reference, "Servers IPs (servers, ips)". */
export function serverAddressRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const config = (name: string) => ({ policy: `os_compute_api:ips:${name}`, check: 'handler' as const })
  const addressesOf = async (request: FastifyRequest, id: string) => {
    const server = await findServer(deps, request, id)
    return addressesView((await deps.network.serverPorts(read, [server.id])).get(server.id) ?? [], false)
  }

  app.get(
    '/servers/:id/ips',
    { config: config('index'), schema: { params: Type.Object({ id: Type.String() }) } },
    async (request) => ({ addresses: await addressesOf(request, request.params.id) }),
  )

  app.get(
    '/servers/:id/ips/:network',
    { config: config('show'), schema: { params: Type.Object({ id: Type.String(), network: Type.String() }) } },
    async (request) => {
      const { id, network } = request.params
      const addresses = (await addressesOf(request, id))[network]
      if (!addresses) throw new CloudError('notFound', 'Instance is not a member of specified network')
      return { [network]: addresses }
    },
  )
}
