import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { check, compile } from '../../../platform/http/validation.ts'
import * as serviceRows from '../db/services.ts'
import type { Deps } from '../logic/deps.ts'
import * as hypervisors from '../logic/hypervisors.ts'
import * as services from '../logic/services.ts'
import { Boolish, isTrue, last, Name, queryOf, since } from './common.ts'

const binary = 'nova-compute'
const strict = { additionalProperties: false }
const Reason = Type.String({ minLength: 1, maxLength: 255 })
const byName = compile(
  Type.Object(
    { host: Name, binary: Name, disabled_reason: Type.Optional(Reason), forced_down: Type.Optional(Boolish) },
    strict,
  ),
  'body',
)
const byId = compile(
  Type.Object(
    {
      status: Type.Optional(Type.Enum(['enabled', 'disabled'])),
      disabled_reason: Type.Optional(Reason),
      forced_down: Type.Optional(Boolish),
    },
    strict,
  ),
  'body',
)

/** Compute services, one a host. Source: Compute API reference, "Compute services (os-services)". */
export function serviceRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const rule = (name: string) => ({ policy: `os_compute_api:os-services:${name}` })
  const one = { params: Type.Object({ id: Type.String() }) }

  app.get('/os-services', { config: rule('list') }, async (request) => {
    const query = queryOf(request)
    const foreign = Object.keys(query).find((name) => name !== 'host' && name !== 'binary')
    if (foreign && since(request, '2.75')) {
      const text = `Invalid input for query parameters ${foreign}. Additional properties are not allowed ('${foreign}' was unexpected)`
      throw new CloudError('badRequest', text)
    }
    const host = last(query, 'host')
    const wantedBinary = last(query, 'binary')
    const all = wantedBinary && wantedBinary !== binary ? [] : await hypervisors.list(deps, read)
    return { services: all.filter((h) => !host || h.host === host).map((h) => view(request, h)) }
  })

  app.put(
    '/os-services/:id',
    { config: { ...rule('update'), bodies: () => [byId.schema, byName.schema] }, schema: one },
    async (request) =>
      since(request, '2.53')
        ? await updateById(request, request.params.id)
        : await updateByName(request, request.params.id),
  )

  app.delete('/os-services/:id', { config: rule('delete'), schema: one }, async (request, reply) => {
    await services.remove(deps, await find(request, request.params.id))
    return reply.code(204).send()
  })

  async function updateById(request: FastifyRequest, id: string) {
    const service = await find(request, id)
    const body = check<{ status?: string; disabled_reason?: string; forced_down?: boolean | string }>(
      byId,
      request.body,
    )
    if (body.status === undefined && body.forced_down === undefined) {
      throw new CloudError(
        'badRequest',
        "No updates were requested. Fields 'status' or 'forced_down' should be specified.",
      )
    }
    if (body.disabled_reason !== undefined && body.status !== 'disabled') {
      throw new CloudError('badRequest', "Specifying 'disabled_reason' when status is 'enabled' is invalid.")
    }
    await services.change(deps, service, {
      ...(body.status === undefined
        ? {}
        : { disabled: body.status === 'disabled', disabledReason: body.disabled_reason ?? null }),
      ...(body.forced_down === undefined ? {} : { forcedDown: isTrue(body.forced_down) }),
    })
    const now = (await hypervisors.list(deps, read)).find((h) => h.service.id === service.id)
    if (!now) throw new CloudError('notFound', `Service ${id} not found.`)
    return { service: view(request, now) }
  }

  /** `PUT /os-services/disable` and the like: the body says which. */
  async function updateByName(request: FastifyRequest, action: string) {
    const actions = ['enable', 'disable', 'disable-log-reason', ...(since(request, '2.11') ? ['force-down'] : [])]
    if (!actions.includes(action)) throw new CloudError('notFound', 'Unknown action')
    const body = check<{ host: string; binary: string; disabled_reason?: string; forced_down?: boolean | string }>(
      byName,
      request.body,
    )
    if (action === 'disable-log-reason' && body.disabled_reason === undefined) {
      throw new CloudError('badRequest', 'Missing disabled reason field')
    }
    if (action === 'force-down' && body.forced_down === undefined) {
      throw new CloudError('badRequest', 'Missing forced_down field')
    }
    if (body.binary !== binary) {
      const text = `Updating a ${body.binary} service is not supported. Only nova-compute services can be updated.`
      throw new CloudError('badRequest', text)
    }
    const service = await serviceRows.findByHost(read, body.host)
    if (!service) throw new CloudError('notFound', `Could not find binary ${binary} on host ${body.host}.`)
    const named = { host: body.host, binary: body.binary }
    if (action === 'force-down') {
      const forcedDown = isTrue(body.forced_down)
      await services.change(deps, service, { forcedDown })
      return { service: { ...named, forced_down: forcedDown } }
    }
    const disabled = action !== 'enable'
    const disabledReason = action === 'disable-log-reason' ? body.disabled_reason! : null
    await services.change(deps, service, { disabled, disabledReason })
    return {
      service: {
        ...named,
        status: disabled ? 'disabled' : 'enabled',
        ...(disabledReason ? { disabled_reason: disabledReason } : {}),
      },
    }
  }

  async function find(request: FastifyRequest, id: string): Promise<serviceRows.ComputeServiceRow> {
    const newer = since(request, '2.53')
    if (newer && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) {
      throw new CloudError('badRequest', `Invalid uuid ${id}`)
    }
    if (!newer && !/^\d+$/.test(id)) throw new CloudError('badRequest', 'Invalid input received: id must be an integer')
    const found = (await serviceRows.list(read)).find((s) => (newer ? s.id : String(s.number)) === id)
    if (!found) throw new CloudError('notFound', `Service ${id} not found.`)
    return found
  }
}

/** Without zone, as this field has always been. */
const naive = (iso: string | null): string | null => iso?.replace('Z', '') ?? null

const view = (request: FastifyRequest, { service, up, seenAt, zone }: hypervisors.Hypervisor) => ({
  id: since(request, '2.53') ? service.id : service.number,
  ...{ binary, host: service.host, zone },
  status: service.disabled ? 'disabled' : 'enabled',
  state: up ? 'up' : 'down',
  updated_at: naive(seenAt),
  disabled_reason: service.disabled_reason,
  ...(since(request, '2.11') ? { forced_down: service.forced_down === 1 } : {}),
})
