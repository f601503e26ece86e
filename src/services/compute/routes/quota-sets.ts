import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { check } from '../../../platform/http/validation.ts'
import type { Deps } from '../logic/deps.ts'
import { checkProject } from '../logic/flavors.ts'
import { classLimits, limitsOf, type QuotaName, quotaNames, setLimits, usedOf } from '../logic/quotas.ts'
import { Boolish, isTrue, since, versioned } from './common.ts'

const ofNetworks: readonly QuotaName[] = ['fixed_ips', 'floating_ips', 'security_group_rules', 'security_groups']
const ofFiles: readonly QuotaName[] = ['injected_file_content_bytes', 'injected_file_path_bytes', 'injected_files']

/** Names that had gone by a microversion. */
const namesAt = (at: (version: string) => boolean): QuotaName[] =>
  quotaNames.filter((name) => !(at('2.36') && ofNetworks.includes(name)) && !(at('2.57') && ofFiles.includes(name)))
const namesOf = (request: FastifyRequest) => namesAt((version) => since(request, version))

const Limit = Type.Union([
  Type.Integer({ minimum: -1, maximum: 2_147_483_647 }),
  Type.String({ pattern: '^-?[0-9]+$', minLength: 1, maxLength: 10 }),
])
const changed = versioned(['2.1', '2.36', '2.57'], (at) =>
  Type.Object(
    {
      quota_set: Type.Object(
        {
          ...Object.fromEntries(namesAt(at).map((name) => [name, Type.Optional(Limit)])),
          force: Type.Optional(Boolish),
        },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
)

/** Source: Compute API reference, "Quota sets (os-quota-sets)". */
export function quotaSetRoutes(app: App, deps: Deps): void {
  const { database } = deps.ground
  const rule = (name: string) => ({ policy: `os_compute_api:os-quota-sets:${name}`, check: 'handler' as const })
  const one = { params: Type.Object({ id: Type.String() }) }
  const pick = (request: FastifyRequest, values: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(namesOf(request).map((name) => [name, values[name]]))
  const allowed = async (request: FastifyRequest, id: string) => {
    request.enforce({ project_id: id })
    await checkProject(deps, database.read, id)
  }

  app.get('/os-quota-sets/:id', { config: rule('show'), schema: one }, async (request) => {
    const { id } = request.params
    await allowed(request, id)
    return { quota_set: { id, ...pick(request, await limitsOf(deps, database.read, id)) } }
  })

  app.get('/os-quota-sets/:id/defaults', { config: rule('defaults'), schema: one }, async (request) => {
    const { id } = request.params
    await allowed(request, id)
    return { quota_set: { id, ...pick(request, await classLimits(deps, database.read)) } }
  })

  app.get('/os-quota-sets/:id/detail', { config: rule('detail'), schema: one }, async (request) => {
    const { id } = request.params
    await allowed(request, id)
    const limits = await limitsOf(deps, database.read, id)
    const used = await usedOf(deps, database.read, id)
    const details = Object.fromEntries(
      quotaNames.map((name) => [name, { limit: limits[name], in_use: used[name], reserved: 0 }]),
    )
    return { quota_set: { id, ...pick(request, details) } }
  })

  app.put(
    '/os-quota-sets/:id',
    { config: { ...rule('update'), bodies: changed.schemas }, schema: one },
    async (request) => {
      const { id } = request.params
      await allowed(request, id)
      const { quota_set: body } = check<{ quota_set: Record<string, number | string | boolean> }>(
        changed(request.microversion),
        request.body,
      )
      const { force, ...wanted } = body
      const limits = Object.fromEntries(Object.entries(wanted).map(([name, value]) => [name, Number(value)]))
      const used = await usedOf(deps, database.read, id)
      for (const [name, limit] of Object.entries(limits)) {
        if (limit < -1) throw new CloudError('badRequest', `Quota limit ${limit} for ${name} must be -1 or greater.`)
        const least = used[name as QuotaName]
        if (isTrue(force) || limit === -1 || limit >= least) continue
        const text = `Quota limit ${limit} for ${name} must be greater than or equal to already used and reserved ${least}.`
        throw new CloudError('badRequest', text)
      }
      await database.write((trx) => setLimits(deps, trx, id, limits))
      return { quota_set: pick(request, await limitsOf(deps, database.read, id)) }
    },
  )

  app.delete('/os-quota-sets/:id', { config: rule('delete'), schema: one }, async (request, reply) => {
    request.enforce({ project_id: request.params.id })
    await database.write((trx) => deps.quotas.reset(trx, request.params.id))
    return reply.code(202).send()
  })
}
