import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { check, compile } from '../../../platform/http/validation.ts'
import * as rows from '../db/aggregates.ts'
import * as aggregates from '../logic/aggregates.ts'
import type { Deps } from '../logic/deps.ts'
import { Name, since } from './common.ts'

const strict = { additionalProperties: false }
const Zone = Type.Union([
  Type.String({ minLength: 1, maxLength: 255, pattern: '^(?!\\s)[^\\p{C}:]*(?<!\\s)$' }),
  Type.Null(),
])
const created = compile(
  Type.Object({ aggregate: Type.Object({ name: Name, availability_zone: Type.Optional(Zone) }, strict) }, strict),
  'body',
)
const PaddedName = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\p{C}]*\\S[^\\p{C}]*$' })
const changed = compile(
  Type.Object(
    {
      aggregate: Type.Object(
        { name: Type.Optional(PaddedName), availability_zone: Type.Optional(Zone) },
        { ...strict, minProperties: 1 },
      ),
    },
    strict,
  ),
  'body',
)
const Host = Type.Object({ host: Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-._]*$' }) }, strict)
const Value = Type.Union([Type.String({ maxLength: 255 }), Type.Null()])
const Values = Type.Record(Type.String({ pattern: '^[a-zA-Z0-9-_:. ]{1,255}$' }), Value, strict)
const acted = compile(
  Type.Union([
    Type.Object({ add_host: Host }, strict),
    Type.Object({ remove_host: Host }, strict),
    Type.Object({ set_metadata: Type.Object({ metadata: Values }, strict) }, strict),
  ]),
  'body',
)

interface Body {
  aggregate: { name?: string; availability_zone?: string | null }
}
interface Action {
  add_host?: { host: string }
  remove_host?: { host: string }
  set_metadata?: { metadata: Record<string, string | null> }
}

/** Source: Compute API reference, "Host aggregates (os-aggregates)". */
export function aggregateRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const root = 'os_compute_api:os-aggregates'
  const rule = (name: string) => ({ policy: `${root}:${name}` })
  const one = { params: Type.Object({ id: Type.String() }) }
  const view = viewOf

  app.get('/os-aggregates', { config: rule('index') }, async (request) => ({
    aggregates: (await rows.list(read)).map((aggregate) => view(request, aggregate)),
  }))

  app.post('/os-aggregates', { config: { ...rule('create'), bodies: () => [created.schema] } }, async (request) => {
    const { name, availability_zone = null } = check<Body>(created, request.body).aggregate
    const made = await aggregates.create(deps, name!.trim(), availability_zone)
    const { hosts: _, metadata: __, ...shown } = view(request, made)
    return { aggregate: shown }
  })

  app.get('/os-aggregates/:id', { config: rule('show'), schema: one }, async (request) => ({
    aggregate: view(request, await aggregates.get(read, idOf(request.params.id))),
  }))

  app.put(
    '/os-aggregates/:id',
    { config: { ...rule('update'), bodies: () => [changed.schema] }, schema: one },
    async (request) => {
      const { name, availability_zone: zone } = check<Body>(changed, request.body).aggregate
      const wanted = { ...(name === undefined ? {} : { name: name.trim() }), ...(zone === undefined ? {} : { zone }) }
      return { aggregate: view(request, await aggregates.update(deps, idOf(request.params.id), wanted)) }
    },
  )

  app.delete('/os-aggregates/:id', { config: rule('delete'), schema: one }, async (request, reply) => {
    await aggregates.remove(deps, idOf(request.params.id))
    return reply.code(200).send()
  })

  app.post(
    '/os-aggregates/:id/action',
    { config: { policy: `${root}:show`, check: 'handler', bodies: () => [acted.schema] }, schema: one },
    async (request) => {
      const { add_host, remove_host, set_metadata } = check<Action>(acted, request.body)
      request.enforce({}, `${root}:${add_host ? 'add_host' : remove_host ? 'remove_host' : 'set_metadata'}`)
      const id = idOf(request.params.id)
      if (add_host) return { aggregate: view(request, await aggregates.addHost(deps, id, add_host.host)) }
      if (remove_host) return { aggregate: view(request, await aggregates.removeHost(deps, id, remove_host.host)) }
      return { aggregate: view(request, await aggregates.setMetadata(deps, id, set_metadata!.metadata)) }
    },
  )
}

function idOf(text: string): number {
  if (/^-?\d{1,10}$/.test(text)) return Number(text)
  throw new CloudError('badRequest', 'Invalid input received: id must be an integer')
}

/** Without zone, as these fields have always been. */
const naive = (iso: string | null): string | null => iso?.replace('Z', '') ?? null

const viewOf = (
  request: FastifyRequest,
  { id, uuid, name, metadata, hosts, createdAt, updatedAt }: rows.Aggregate,
) => ({
  ...{ id, name, hosts, metadata, availability_zone: metadata.availability_zone ?? null },
  ...{ created_at: naive(createdAt), updated_at: naive(updatedAt), deleted_at: null, deleted: false },
  ...(since(request, '2.41') ? { uuid } : {}),
})
