import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl, withQuery } from '../../../platform/http/links.ts'
import * as serverRows from '../db/servers.ts'
import type { Deps } from '../logic/deps.ts'
import * as hypervisors from '../logic/hypervisors.ts'
import { isTrue, last, paging, queryOf, since, unpaged } from './common.ts'

type Hypervisor = hypervisors.Hypervisor
type Names = Awaited<ReturnType<typeof serverRows.namesByHost>>

const rule = (name: string) => ({ policy: `os_compute_api:os-hypervisors:${name}` })

/** Source: Compute API reference, "Hypervisors (os-hypervisors)". */
export function hypervisorRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const all = () => hypervisors.list(deps, read)

  for (const detail of [false, true]) {
    const config = rule(detail ? 'list-detail' : 'list')
    app.get(detail ? '/os-hypervisors/detail' : '/os-hypervisors', { config }, async (request) => {
      const query = queryOf(request)
      const newer = since(request, '2.53')
      const pattern = newer ? last(query, 'hypervisor_hostname_pattern') : undefined
      const withServers = newer && isTrue(last(query, 'with_servers'))
      if (pattern !== undefined && (query.limit !== undefined || query.marker !== undefined)) {
        throw new CloudError(
          'badRequest',
          'Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.',
        )
      }
      const paged = since(request, '2.33')
      const { limit, marker, linked } = paged ? paging(query) : unpaged
      const found = pattern === undefined ? await all() : matching(await all(), pattern)
      const from = marker === null ? 0 : found.findIndex((h) => idOf(request, h) === marker) + 1
      if (marker !== null && from === 0) throw new CloudError('badRequest', `marker [${marker}] not found`)
      const page = found.slice(from, from + limit)
      const names = withServers ? await namesOf(page) : undefined
      const more = found.length > from + limit && linked
      const next = withQuery(request, { marker: page.length > 0 ? idOf(request, page.at(-1)!) : null })
      return {
        hypervisors: page.map((h) => view(request, h, detail, names)),
        ...(more ? { hypervisors_links: [{ rel: 'next', href: baseUrl(request) + next }] } : {}),
      }
    })
  }
  const namesOf = (page: readonly Hypervisor[]) =>
    serverRows.namesByHost(
      read,
      page.map((h) => h.host),
    )

  app.get('/os-hypervisors/statistics', { config: { ...rule('statistics'), until: '2.87' } }, async () => ({
    hypervisor_statistics: statistics(await all()),
  }))

  const one = { params: Type.Object({ id: Type.String() }) }
  app.get('/os-hypervisors/:id', { config: rule('show'), schema: one }, async (request) => {
    const hypervisor = find(request, await all(), request.params.id)
    const withServers = since(request, '2.53') && isTrue(last(queryOf(request), 'with_servers'))
    return { hypervisor: view(request, hypervisor, true, withServers ? await namesOf([hypervisor]) : undefined) }
  })

  app.get(
    '/os-hypervisors/:id/uptime',
    { config: { ...rule('uptime'), until: '2.87' }, schema: one },
    async (request) => {
      const hypervisor = find(request, await all(), request.params.id)
      if (!hypervisor.up) {
        throw new CloudError('badRequest', `Compute service of ${hypervisor.host} is unavailable at this time.`)
      }
      return { hypervisor: { ...view(request, hypervisor, false), uptime: uptimeText(deps, hypervisor) } }
    },
  )

  app.get(
    '/os-hypervisors/:id/search',
    { config: { ...rule('search'), until: '2.52' }, schema: one },
    async (request) => ({
      hypervisors: matching(await all(), request.params.id).map((h) => view(request, h, false)),
    }),
  )

  app.get(
    '/os-hypervisors/:id/servers',
    { config: { ...rule('servers'), until: '2.52' }, schema: one },
    async (request) => {
      const found = matching(await all(), request.params.id)
      const names = await namesOf(found)
      return { hypervisors: found.map((h) => view(request, h, false, names)) }
    },
  )

  function view(request: FastifyRequest, h: Hypervisor, detail: boolean, names?: Names): Record<string, unknown> {
    const servers = names?.get(h.host)
    return {
      id: since(request, '2.53') ? h.id : h.number,
      hypervisor_hostname: h.host,
      state: h.up ? 'up' : 'down',
      status: h.service.disabled ? 'disabled' : 'enabled',
      ...(detail ? detailsOf(request, h) : {}),
      ...(detail && since(request, '2.88') ? { uptime: h.up ? uptimeText(deps, h) : null } : {}),
      ...(servers ? { servers: servers.map(({ id, name }) => ({ uuid: id, name })) } : {}),
      ...(names && !servers && since(request, '2.75') ? { servers: [] } : {}),
    }
  }
}

const idOf = (request: FastifyRequest, h: Hypervisor): string => (since(request, '2.53') ? h.id : String(h.number))

/** @throws CloudError in the words of the microversion */
function find(request: FastifyRequest, all: readonly Hypervisor[], id: string): Hypervisor {
  if (since(request, '2.53') && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) {
    throw new CloudError('badRequest', `Invalid uuid ${id}`)
  }
  const found = all.find((h) => idOf(request, h) === id)
  if (!found) throw new CloudError('notFound', `Hypervisor with ID '${id}' could not be found.`)
  return found
}

function matching(all: readonly Hypervisor[], pattern: string): Hypervisor[] {
  const found = all.filter((h) => h.host.includes(pattern))
  if (found.length === 0) throw new CloudError('notFound', `No hypervisor matching '${pattern}' could be found.`)
  return found
}

/** `20.10.24` → 20010024, as Nova counts versions. */
const versionNumber = (text = ''): number =>
  text
    .split('.')
    .slice(0, 3)
    .reduce((sum, part) => sum * 1000 + (Number.parseInt(part, 10) || 0), 0)

function detailsOf(request: FastifyRequest, h: Hypervisor): Record<string, unknown> {
  const newer = since(request, '2.53')
  const cpu = { model: h.facts.cpuModel ?? '', arch: h.facts.architecture ?? '', topology: {}, features: [] }
  return {
    hypervisor_type: 'docker',
    hypervisor_version: versionNumber(h.facts.engineVersion),
    host_ip: h.facts.hostIp ?? '',
    service: {
      id: newer ? h.service.id : h.service.number,
      host: h.host,
      disabled_reason: h.service.disabled_reason,
    },
    ...(since(request, '2.88') ? {} : { ...figures(h), cpu_info: since(request, '2.28') ? cpu : JSON.stringify(cpu) }),
  }
}

/** What Nova counted before Placement did. */
function figures({ facts, used }: Pick<Hypervisor, 'facts' | 'used'>) {
  const { vcpus = 0, memoryMiB = 0, diskGiB = 0, diskFreeGiB = 0 } = facts
  return {
    vcpus,
    memory_mb: memoryMiB,
    local_gb: Math.floor(diskGiB),
    vcpus_used: used.vcpus,
    memory_mb_used: used.memoryMiB,
    local_gb_used: used.diskGiB,
    free_ram_mb: memoryMiB - used.memoryMiB,
    free_disk_gb: Math.floor(diskGiB) - used.diskGiB,
    current_workload: used.building,
    running_vms: used.servers,
    disk_available_least: Math.floor(diskFreeGiB),
  }
}

function statistics(all: readonly Hypervisor[]): Record<string, number> {
  const nothing = { vcpus: 0, memoryMiB: 0, diskGiB: 0, servers: 0, building: 0 }
  const rows = all.filter((h) => h.service.disabled === 0).map(figures)
  const sums: Record<string, number> = { count: rows.length, ...figures({ facts: {}, used: nothing }) }
  for (const row of rows) for (const [name, value] of Object.entries(row)) sums[name] = (sums[name] ?? 0) + value
  return sums
}

/** As the command `uptime` prints it, which is what this field has always been. */
function uptimeText({ ground: { clock } }: Deps, { facts }: Hypervisor): string {
  const seconds = Math.floor(facts.uptimeSeconds ?? 0)
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor(seconds / 3600) % 24
  const minutes = String(Math.floor(seconds / 60) % 60).padStart(2, '0')
  const loads = (facts.loadAverage ?? [0, 0, 0]).map((load) => load.toFixed(2)).join(', ')
  return ` ${clock.now().slice(11, 19)} up ${days} days, ${hours}:${minutes},  0 users,  load average: ${loads}`
}
