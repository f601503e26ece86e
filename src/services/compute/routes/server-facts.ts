import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import * as hypervisors from '../logic/hypervisors.ts'
import { last, queryOf, requireUntil, since } from './common.ts'
import { findServer } from './find-server.ts'

/** Source: Compute API reference, "Servers - NUMA topology", "Servers with volume attachments", "Hosts (os-hosts)". */
export function serverFactRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
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

  app.get(
    '/servers/:id/os-volume_attachments',
    { config: ofServer('os-volumes-attachments:index'), schema: one },
    async (request) => {
      await findServer(deps, request, request.params.id)
      return { volumeAttachments: [] }
    },
  )

  app.get('/os-hosts', { config: { policy: 'os_compute_api:os-hosts:list' } }, async (request) => {
    requireUntil(request, '2.42')
    const zone = last(queryOf(request), 'zone')
    const all = (await hypervisors.list(deps, read)).filter((h) => !zone || h.zone === zone)
    return { hosts: all.map((h) => ({ host_name: h.host, service: 'compute', zone: h.zone })) }
  })

  app.get('/os-hosts/:id', { config: { policy: 'os_compute_api:os-hosts:show' }, schema: one }, async (request) => {
    requireUntil(request, '2.42')
    const { id: host } = request.params
    const found = (await hypervisors.list(deps, read)).find((h) => h.host === host)
    if (!found) throw new CloudError('notFound', `Compute host ${host} could not be found.`)
    const { vcpus = 0, memoryMiB = 0, diskGiB = 0 } = found.facts
    const row = (project: string, cpu: number, memory_mb: number, disk_gb: number) => ({
      resource: { ...{ host, project, cpu, memory_mb, disk_gb } },
    })
    const { used } = found
    return {
      host: [
        row('(total)', vcpus, memoryMiB, diskGiB),
        row('(used_now)', used.vcpus, used.memoryMiB, used.diskGiB),
        row('(used_max)', used.vcpus, used.memoryMiB, used.diskGiB),
      ],
    }
  })
}
