import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { check } from '../../../platform/http/validation.ts'
import * as quotaRows from '../db/quotas.ts'
import type { Deps } from '../logic/deps.ts'
import { classLimits, classOf, defaultLimits, type QuotaName, quotaNames, setDefaults } from '../logic/quotas.ts'
import { since, versioned } from './common.ts'

const networks: readonly QuotaName[] = ['fixed_ips', 'floating_ips', 'security_group_rules', 'security_groups']
const files: readonly QuotaName[] = ['injected_file_content_bytes', 'injected_file_path_bytes', 'injected_files']
const groups: readonly QuotaName[] = ['server_groups', 'server_group_members']

/** Server groups came, networks and files went. */
const shownAt = (at: (version: string) => boolean): QuotaName[] =>
  quotaNames.filter((name) => {
    if (groups.includes(name)) return at('2.50')
    if (networks.includes(name)) return !at('2.50')
    return !(files.includes(name) && at('2.57'))
  })
const settableAt = (at: (version: string) => boolean): QuotaName[] =>
  quotaNames.filter((name) => !(networks.includes(name) && at('2.50')) && !(files.includes(name) && at('2.57')))

const Limit = Type.Union([
  Type.Integer({ minimum: -1, maximum: 2_147_483_647 }),
  Type.String({ pattern: '^-?[0-9]+$', minLength: 1, maxLength: 10 }),
])
const strict = { additionalProperties: false }
const changed = versioned(['2.1', '2.50', '2.57'], (at) =>
  Type.Object(
    {
      quota_class_set: Type.Object(Object.fromEntries(settableAt(at).map((name) => [name, Type.Optional(Limit)])), {
        ...strict,
        minProperties: 1,
      }),
    },
    strict,
  ),
)

/** Only the class `default` counts: it is what projects without limits of their own have. Source: Compute API reference, "Quota class sets". */
export function quotaClassRoutes(app: App, deps: Deps): void {
  const { database } = deps.ground
  const rule = (name: string) => ({ policy: `os_compute_api:os-quota-class-sets:${name}` })
  const one = { params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 255 }) }) }
  const view = async (request: FastifyRequest, id: string) => {
    const limits = id === 'default' ? await classLimits(deps, database.read) : await ofClass(id)
    const names = shownAt((version) => since(request, version))
    return Object.fromEntries(names.flatMap((name) => (limits[name] === undefined ? [] : [[name, limits[name]]])))
  }
  const ofClass = async (id: string): Promise<Record<string, number>> => ({
    ...defaultLimits(deps),
    ...(await quotaRows.get(database.read, classOf(id))),
  })

  app.get('/os-quota-class-sets/:id', { config: rule('show'), schema: one }, async (request) => ({
    quota_class_set: { id: request.params.id, ...(await view(request, request.params.id)) },
  }))

  app.put(
    '/os-quota-class-sets/:id',
    { config: { ...rule('update'), bodies: changed.schemas }, schema: one },
    async (request) => {
      const { id } = request.params
      const body = check<{ quota_class_set: Record<string, number | string> }>(
        changed(request.microversion),
        request.body,
      )
      const limits = Object.fromEntries(
        Object.entries(body.quota_class_set).map(([name, value]) => [name, Number(value)]),
      )
      await database.write((trx) =>
        id === 'default' ? setDefaults(deps, trx, limits) : quotaRows.put(trx, classOf(id), limits),
      )
      return { quota_class_set: await view(request, id) }
    },
  )
}
