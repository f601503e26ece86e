import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as serverRows from '../db/servers.ts'
import type { Deps } from '../logic/deps.ts'
import { addressesView } from './server-view.ts'
import { targetOf } from './servers.ts'

/** Source: Compute API reference, "Servers IPs (servers, ips)". */
export function serverAddressRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const config = (name: string) => ({ policy: `os_compute_api:ips:${name}`, check: 'handler' as const })
  const find = async (request: { params: { id: string }; enforce(target: ReturnType<typeof targetOf>): void }) => {
    const server = await serverRows.get(read, request.params.id)
    request.enforce(targetOf(server))
    return addressesView((await deps.network.serverPorts(read, [server.id])).get(server.id) ?? [], false)
  }

  app.get(
    '/servers/:id/ips',
    { config: config('index'), schema: { params: Type.Object({ id: Type.String() }) } },
    async (request) => ({ addresses: await find(request) }),
  )

  app.get(
    '/servers/:id/ips/:network',
    { config: config('show'), schema: { params: Type.Object({ id: Type.String(), network: Type.String() }) } },
    async (request) => {
      const { network } = request.params
      const addresses = (await find(request))[network]
      if (!addresses) throw new CloudError('notFound', 'Instance is not a member of specified network')
      return { [network]: addresses }
    },
  )
}
