import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl, withQuery } from '../../../platform/http/links.ts'
import type { Deps } from '../logic/deps.ts'
import { type ServerUsage, usages } from '../logic/tenant-usage.ts'
import { last, paging, queryOf, since } from './common.ts'

const naive = (iso: string | null): string | null => iso?.replace('Z', '') ?? null

/** Source: Compute API reference, "Usage reports (os-simple-tenant-usage)". */
export function tenantUsageRoutes(app: App, deps: Deps): void {
  const { database, clock } = deps.ground
  const root = 'os_compute_api:os-simple-tenant-usage'

  const report = async (request: FastifyRequest, projectId: string | null) => {
    const query = queryOf(request)
    const now = clock.now()
    const from = timeOf(last(query, 'start'), now)
    const to = timeOf(last(query, 'end'), now)
    if (from >= to) {
      throw new CloudError('badRequest', 'Invalid start time. The start time cannot occur after the end time.')
    }
    const paged = since(request, '2.40')
    const page = paged ? paging(query) : { limit: 100_000, marker: null, linked: false }
    const period = { from, to, fromMs: Date.parse(from), toMs: Date.parse(to), nowMs: clock.nowMs() }
    const { byProject, lastServerId } = await usages(database.read, period, projectId, page)
    const all = [...byProject].map(([tenant_id, used]) => ({
      tenant_id,
      ...totals(used),
      ...{ start: naive(from), stop: naive(to) },
      used,
    }))
    const count = all.reduce((sum, { used }) => sum + used.length, 0)
    const next = page.linked && count === page.limit ? withQuery(request, { marker: lastServerId }) : null
    return { all, links: next ? [{ rel: 'next', href: baseUrl(request) + next }] : null }
  }

  app.get('/os-simple-tenant-usage', { config: { policy: `${root}:list` } }, async (request) => {
    // One project's, whose id is empty.
    if (/\/(\?|$)/.test(request.url)) throw new CloudError('notFound', 'The resource could not be found.')
    const { all, links } = await report(request, null)
    const detailed = last(queryOf(request), 'detailed') === '1'
    const tenant_usages = all.map(({ used, ...summary }) => ({
      ...summary,
      ...(detailed ? { server_usages: used.map(usageView) } : {}),
    }))
    return { tenant_usages, ...(links ? { tenant_usages_links: links } : {}) }
  })

  app.get(
    '/os-simple-tenant-usage/:id',
    {
      config: { policy: `${root}:show`, check: 'handler' },
      schema: { params: Type.Object({ id: Type.String() }) },
    },
    async (request) => {
      request.enforce({ project_id: request.params.id })
      const { all, links } = await report(request, request.params.id)
      const [first] = all
      if (!first) return { tenant_usage: {} }
      const { used, ...summary } = first
      const tenant_usage = { ...summary, server_usages: used.map(usageView) }
      return { tenant_usage, ...(links ? { tenant_usage_links: links } : {}) }
    },
  )
}

/** Without a zone it is UTC. @throws CloudError `badRequest` */
function timeOf(text: string | undefined, now: string): string {
  if (text === undefined || text === '') return now
  if (!/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?$/.test(text) || Number.isNaN(Date.parse(`${text}Z`))) {
    throw new CloudError('badRequest', 'Datetime is in invalid format')
  }
  return new Date(`${text.replace(' ', 'T')}Z`).toISOString()
}

const diskOf = ({ server }: ServerUsage): number => server.flavor.diskGiB + server.flavor.ephemeralGiB

function totals(used: readonly ServerUsage[]) {
  const sum = (value: (usage: ServerUsage) => number) =>
    used.reduce((total, usage) => total + value(usage) * usage.hours, 0)
  return {
    total_local_gb_usage: sum(diskOf),
    total_vcpus_usage: sum(({ server }) => server.flavor.vcpus),
    total_memory_mb_usage: sum(({ server }) => server.flavor.memoryMiB),
    total_hours: sum(() => 1),
  }
}

function usageView(usage: ServerUsage) {
  const { server, hours, uptimeSeconds } = usage
  return {
    ...{ hours, flavor: server.flavor.name, instance_id: server.id, name: server.name, tenant_id: server.projectId },
    ...{ memory_mb: server.flavor.memoryMiB, local_gb: diskOf(usage), vcpus: server.flavor.vcpus },
    ...{ started_at: naive(server.launchedAt), ended_at: naive(server.deletedAt), uptime: uptimeSeconds },
    state: server.deletedAt ? 'terminated' : server.vmState,
  }
}
