import type { FastifyRequest } from 'fastify'
import type { App } from '../../../platform/http/app.ts'
import * as quotaRows from '../db/quotas.ts'
import type { Deps } from '../logic/deps.ts'
import { malformed } from '../logic/errors.ts'
import { defaultQuotas, limitsOf, type QuotaResource, quotaResources } from '../logic/quotas.ts'
import { integer, Reason } from '../logic/values.ts'

/** -1 is no limit. */
const limit = integer(-1, 2_147_483_647)

/** Source: Network API reference, "Quotas extension". */
export function quotaRoutes(app: App, deps: Deps): void {
  const { read } = deps.database
  const projectOf = (request: FastifyRequest) => (request.params as { project: string }).project
  const targetOf = (project: string) => ({ project_id: project, tenant_id: project })

  app.get('/v2.0/quotas', { config: { policy: 'update_quota' } }, async () => {
    const projects = await quotaRows.projects(read)
    const quotas = await Promise.all(
      projects.map(async (project) => ({ ...(await limitsOf(read, project)), ...targetOf(project) })),
    )
    return { quotas }
  })

  app.get('/v2.0/quotas/:project', { config: { policy: 'get_quota', check: 'handler' } }, async (request) => {
    request.enforce(targetOf(projectOf(request)))
    return { quota: await limitsOf(read, projectOf(request)) }
  })

  app.get('/v2.0/quotas/:project/default', { config: { policy: 'get_quota', check: 'handler' } }, async (request) => {
    request.enforce(targetOf(projectOf(request)))
    return { quota: defaultQuotas }
  })

  app.put('/v2.0/quotas/:project', { config: { policy: 'update_quota' } }, async (request) => {
    const project = projectOf(request)
    const wanted = acceptQuota(request.body)
    await deps.database.write(async (trx) => {
      for (const [resource, quota_limit] of wanted) {
        await quotaRows.set(trx, { project_id: project, resource, quota_limit })
      }
    })
    return { quota: await limitsOf(read, project) }
  })

  app.delete('/v2.0/quotas/:project', { config: { policy: 'delete_quota' } }, async (request, reply) => {
    await deps.database.write((trx) => quotaRows.reset(trx, projectOf(request)))
    return reply.code(204).send()
  })
}

function acceptQuota(body: unknown): [QuotaResource, number][] {
  const quota = typeof body === 'object' && body !== null && 'quota' in body ? body.quota : undefined
  if (typeof quota !== 'object' || quota === null) throw malformed("Unable to find 'quota' in request body")
  return Object.entries(quota).flatMap(([name, value]): [QuotaResource, number][] => {
    // Clients send the project along with its limits.
    if (name === 'tenant_id' || name === 'project_id') return []
    if (!quotaResources.includes(name as QuotaResource)) throw malformed(`Unrecognized attribute(s) '${name}'`)
    try {
      return [[name as QuotaResource, limit(value)]]
    } catch (error) {
      if (!(error instanceof Reason)) throw error
      throw malformed(`Invalid input for ${name}. Reason: ${error.message}.`)
    }
  })
}
