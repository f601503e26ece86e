import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'

/** What Compute once had and no microversion has now. Source: Compute API reference, "Obsolete APIs". */
const gone: readonly (readonly [path: string, methods: readonly ('GET' | 'POST' | 'PUT' | 'DELETE')[]])[] = [
  ['/os-agents', ['GET', 'POST']],
  ['/os-agents/:id', ['PUT', 'DELETE']],
  ['/os-cells', ['GET', 'POST']],
  ['/os-cells/capacities', ['GET']],
  ['/os-cells/detail', ['GET']],
  ['/os-cells/info', ['GET']],
  ['/os-cells/sync_instances', ['POST']],
  ['/os-cells/:id', ['GET', 'PUT', 'DELETE']],
  ['/os-cells/:id/capacities', ['GET']],
  ['/os-certificates', ['POST']],
  ['/os-certificates/:id', ['GET']],
  ['/os-cloudpipe', ['GET', 'POST']],
  ['/os-cloudpipe/:id', ['PUT']],
  ['/os-fixed-ips/:id', ['GET']],
  ['/os-fixed-ips/:id/action', ['POST']],
  ['/os-floating-ip-dns', ['GET']],
  ['/os-floating-ip-dns/:id', ['PUT', 'DELETE']],
  ['/os-floating-ip-dns/:id/entries/:entry', ['GET', 'PUT', 'DELETE']],
  ['/os-floating-ips-bulk', ['GET', 'POST']],
  ['/os-floating-ips-bulk/:id', ['GET', 'PUT']],
  ['/os-fping', ['GET']],
  ['/os-fping/:id', ['GET']],
  ['/os-networks', ['POST']],
  ['/os-networks/add', ['POST']],
  ['/os-networks/:id', ['DELETE']],
  ['/os-networks/:id/action', ['POST']],
  ['/os-security-group-default-rules', ['GET', 'POST']],
  ['/os-security-group-default-rules/:id', ['GET', 'DELETE']],
  ['/os-tenant-networks', ['POST']],
  ['/os-tenant-networks/:id', ['DELETE']],
  ['/servers/:id/consoles', ['GET', 'POST']],
  ['/servers/:id/consoles/:console', ['GET', 'DELETE']],
  ['/servers/:id/os-virtual-interfaces', ['GET']],
]

/** They say that they are gone, where a path that never was is not found. */
export function goneRoutes(app: App): void {
  for (const [url, methods] of gone) {
    app.route({
      url,
      method: [...methods],
      config: { policy: 'authenticated' },
      handler: async () => {
        throw new CloudError('gone', 'This resource is no longer available. No forwarding address is given.')
      },
    })
  }
}
