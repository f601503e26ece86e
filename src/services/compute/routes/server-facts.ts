import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { since } from './common.ts'
import { findServer } from './find-server.ts'

/** Source: Compute API reference, "Servers - NUMA topology". */
export function serverFactRoutes(app: App, deps: Deps): void {
  const one = { params: Type.Object({ id: Type.String() }) }
  const ofServer = (rule: string) => ({ policy: `os_compute_api:${rule}`, check: 'handler' as const })

  app.get(
    '/servers/:id/topology',
    { config: ofServer('compute:server:topology:index'), schema: one },
    async (request) => {
      if (!since(request, '2.78')) throw new CloudError('notFound', 'The resource could not be found.')
      await findServer(deps, request, request.params.id)
      // The engine places a container on every node of its host.
      return { nodes: [], pagesize_kb: null }
    },
  )
}
