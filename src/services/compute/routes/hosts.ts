import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as serverRows from '../db/servers.ts'
import * as serviceRows from '../db/services.ts'
import type { Deps } from '../logic/deps.ts'
import * as hypervisors from '../logic/hypervisors.ts'
import * as services from '../logic/services.ts'
import { last, queryOf } from './common.ts'

const Switch = Type.Optional(Type.Enum(['enable', 'disable', 'Enable', 'Disable', 'ENABLE', 'DISABLE']))
const Changes = Type.Object({ status: Switch, maintenance_mode: Switch }, { additionalProperties: false })

/** Until 2.42. Source: Compute API reference, "Hosts (os-hosts) (DEPRECATED)". */
export function hostRoutes(app: App, deps: Deps): void {
  const { config } = deps.ground
  const { read } = deps.ground.database
  const rule = (name: string) => ({ policy: `os_compute_api:os-hosts:${name}`, until: '2.42' })
  const one = { params: Type.Object({ id: Type.String() }) }

  app.get('/os-hosts', { config: rule('list') }, async (request) => {
    const zone = last(queryOf(request), 'zone')
    const enabled = (await hypervisors.list(deps, read)).filter((h) => h.service.disabled === 0)
    const hosts = [
      // What upstream has as services of their own, the control role does.
      ...['conductor', 'scheduler'].map((service) => ({ host_name: config.host, service, zone: 'internal' })),
      ...enabled.map((h) => ({ host_name: h.host, service: 'compute', zone: h.zone })),
    ]
    return { hosts: hosts.filter((host) => !zone || host.zone === zone) }
  })

  app.get('/os-hosts/:id', { config: rule('show'), schema: one }, async (request) => {
    const { host, facts, used } = await find(request.params.id)
    const row = (project: string, cpu: number, memory_mb: number, disk_gb: number) => ({
      resource: { ...{ host, project, cpu, memory_mb, disk_gb } },
    })
    const { vcpus = 0, memoryMiB = 0, diskGiB = 0 } = facts
    const projects = await serverRows.usageByProject(read, host)
    return {
      host: [
        row('(total)', vcpus, memoryMiB, Math.floor(diskGiB)),
        row('(used_now)', used.vcpus, used.memoryMiB, used.diskGiB),
        row('(used_max)', used.vcpus, used.memoryMiB, used.diskGiB),
        ...projects.map((p) => row(p.projectId, p.vcpus, p.memoryMiB, p.diskGiB)),
      ],
    }
  })

  app.put('/os-hosts/:id', { config: rule('update'), schema: { ...one, body: Changes } }, async (request) => {
    const { id: host } = request.params
    const { status, maintenance_mode } = request.body
    const service = await serviceRows.findByHost(read, host)
    if (!service) throw absent(host)
    if (maintenance_mode !== undefined) throw unsupported()
    if (status === undefined) return { host }
    const disabled = status.toLowerCase() === 'disable'
    await services.change(deps, service, { disabled, disabledReason: null })
    return { host, status: disabled ? 'disabled' : 'enabled' }
  })

  for (const [action, name] of [
    ['startup', 'start'],
    ['shutdown', 'shutdown'],
    ['reboot', 'reboot'],
  ] as const) {
    app.get(`/os-hosts/:id/${action}`, { config: rule(name), schema: one }, async (request) => {
      await find(request.params.id)
      throw unsupported()
    })
  }

  async function find(host: string): Promise<hypervisors.Hypervisor> {
    const found = (await hypervisors.list(deps, read)).find((h) => h.host === host)
    if (!found) throw absent(host)
    return found
  }
}

const absent = (host: string) => new CloudError('notFound', `Compute host ${host} could not be found.`)
/** As upstream says it of every hypervisor that cannot switch its machine on and off. */
const unsupported = () => new CloudError('notImplemented', 'The requested functionality is not supported.')
