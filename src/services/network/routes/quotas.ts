import type { FastifyRequest } from 'fastify'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import type { Deps } from '../logic/deps.ts'
import { badRequest, malformed } from '../logic/errors.ts'
import type { QuotaResource } from '../logic/quotas.ts'
import { integer, Reason } from '../logic/values.ts'

/** -1 is no limit. */
const limit = integer(-1, 2_147_483_647)

/** Identity's limits, as Network's API shows them. Source: Network API reference, "Quotas extension", "Quotas details". */
export function quotaRoutes(app: App, deps: Deps): void {
  const { database, quotas } = deps
  const { read } = database
  const projectOf = (request: FastifyRequest) => (request.params as { project: string }).project
  const targetOf = (project: string) => ({ project_id: project, tenant_id: project })
  const shown = { config: { policy: 'get_quota', check: 'handler' as const } }

  app.get('/v2.0/quotas', { config: { policy: 'update_quota' } }, async () => {
    const projects = await quotas.holders(read)
    const all = await Promise.all(
      projects.map(async (project) => ({ ...(await quotas.limits(read, project)), ...targetOf(project) })),
    )
    return { quotas: all }
  })

  app.get('/v2.0/quotas/:project', shown, async (request) => {
    request.enforce(targetOf(projectOf(request)))
    return { quota: await quotas.limits(read, projectOf(request)) }
  })

  app.get('/v2.0/quotas/:project/default', shown, async (request) => {
    request.enforce(targetOf(projectOf(request)))
    return { quota: await quotas.defaults(read) }
  })

  // Clients name the form of the answer, as old ones did everywhere.
  for (const path of ['/v2.0/quotas/:project/details', '/v2.0/quotas/:project/details.json']) {
    app.get(path, shown, async (request) => {
      const project = projectOf(request)
      request.enforce(targetOf(project))
      const [limits, used] = await Promise.all([quotas.limits(read, project), quotas.usage(read, project)])
      const details = quotas.resources.map((name) => [name, { limit: limits[name], used: used[name], reserved: 0 }])
      return { quota: Object.fromEntries(details) }
    })
  }

  app.put('/v2.0/quotas/:project', { config: { policy: 'update_quota' } }, async (request) => {
    const project = projectOf(request)
    const { limits, check } = acceptQuota(request.body, quotas.resources)
    await database.write(async (trx) => {
      const used = check ? await quotas.usage(trx, project) : null
      for (const [name, most] of Object.entries(limits) as [QuotaResource, number][]) {
        if (used === null || most < 0 || used[name] <= most) continue
        const text = `Quota limit ${most} for ${name} must be greater than or equal to already used ${used[name]}`
        throw badRequest('HTTPBadRequest', text)
      }
      await quotas.set(trx, project, limits)
    })
    return { quota: await quotas.limits(read, project) }
  })

  app.delete('/v2.0/quotas/:project', { config: { policy: 'delete_quota' } }, async (request, reply) => {
    const project = projectOf(request)
    if (!(await database.write((trx) => quotas.reset(trx, project)))) {
      throw new CloudError('notFound', `Quota for tenant ${project} could not be found.`, {
        type: 'TenantQuotaNotFound',
      })
    }
    return reply.code(204).send()
  })
}

function acceptQuota(
  body: unknown,
  resources: readonly QuotaResource[],
): { limits: Partial<Record<QuotaResource, number>>; check: boolean } {
  const quota = typeof body === 'object' && body !== null && 'quota' in body ? body.quota : undefined
  if (typeof quota !== 'object' || quota === null) throw malformed("Unable to find 'quota' in request body")
  // Clients send the project along with its limits. `force` is how it is without `check_limit`.
  const { tenant_id, project_id, force, check_limit, ...wanted } = quota as Record<string, unknown>
  const limits: Partial<Record<QuotaResource, number>> = {}
  for (const [name, value] of Object.entries(wanted)) {
    const resource = resources.find((one) => one === name)
    if (!resource) throw malformed(`Unrecognized attribute(s) '${name}'`)
    try {
      limits[resource] = limit(value)
    } catch (error) {
      if (!(error instanceof Reason)) throw error
      throw malformed(`Invalid input for ${name}. Reason: ${error.message}.`)
    }
  }
  return { limits, check: check_limit === true }
}
