import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError, NotFound } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl, withQuery } from '../../../platform/http/links.ts'
import { check } from '../../../platform/http/validation.ts'
import * as flavorRows from '../db/flavors.ts'
import type { FlavorsTable } from '../db/tables.ts'
import type { Deps } from '../logic/deps.ts'
import * as flavors from '../logic/flavors.ts'
import { Boolish, Count, countOf, isTrue, last, Name, paging, queryOf, selfLinks, since, versioned } from './common.ts'
import { mayAll } from './server-view.ts'

const strict = { additionalProperties: false }
const Description = Type.Union([Type.String({ maxLength: 65535 }), Type.Null()])
const newFlavor = versioned(['2.1', '2.55'], (at) =>
  Type.Object(
    {
      flavor: Type.Object(
        {
          name: Name,
          id: Type.Optional(
            Type.Union([
              Type.String({ minLength: 1, maxLength: 255, pattern: '^(?! )[a-zA-Z0-9. _-]+(?<! )$' }),
              Type.Number(),
              Type.Null(),
            ]),
          ),
          ram: Count(1),
          vcpus: Count(1),
          disk: Count(0),
          'OS-FLV-EXT-DATA:ephemeral': Type.Optional(Count(0)),
          swap: Type.Optional(Count(0)),
          rxtx_factor: Type.Optional(
            Type.Union([
              Type.Number({ exclusiveMinimum: 0, maximum: 3.40282e38 }),
              Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?$' }),
            ]),
          ),
          'os-flavor-access:is_public': Type.Optional(Boolish),
          ...(at('2.55') ? { description: Type.Optional(Description) } : {}),
        },
        strict,
      ),
    },
    strict,
  ),
)
interface NewFlavor {
  flavor: {
    name: string
    id?: string | number | null
    ram: number | string
    vcpus: number | string
    disk: number | string
    'OS-FLV-EXT-DATA:ephemeral'?: number | string
    swap?: number | string
    rxtx_factor?: number | string
    'os-flavor-access:is_public'?: boolean | string
    description?: string | null
  }
}

const sortable: Readonly<Record<string, keyof FlavorsTable>> = {
  created_at: 'created_at',
  description: 'description',
  disabled: 'id',
  ephemeral_gb: 'ephemeral_gib',
  flavorid: 'id',
  id: 'created_at',
  is_public: 'is_public',
  memory_mb: 'memory_mib',
  name: 'name',
  root_gb: 'disk_gib',
  rxtx_factor: 'rxtx_factor',
  swap: 'swap_mib',
  updated_at: 'updated_at',
  vcpu_weight: 'vcpus',
  vcpus: 'vcpus',
}
const queryNames = new Set(['limit', 'marker', 'is_public', 'minRam', 'minDisk', 'sort_key', 'sort_dir'])

/** Source: Compute API reference, "Flavors". */
export function flavorRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const manage = (name: string) => ({ policy: `os_compute_api:os-flavor-manage:${name}` })

  for (const detail of [false, true]) {
    const url = detail ? '/flavors/detail' : '/flavors'
    app.get(url, { config: { policy: 'authenticated' } }, async (request) => {
      const wanted = flavorQuery(request)
      const found = await flavorRows.list(read, { ...wanted, limit: wanted.limit + 1 }).catch((error) => {
        if (!(error instanceof NotFound)) throw error
        throw new CloudError('badRequest', `marker [${wanted.marker}] not found`)
      })
      const page = found.slice(0, wanted.limit)
      const more = found.length > page.length && wanted.linked
      const next = withQuery(request, { marker: page.at(-1)?.id ?? null })
      return {
        flavors: page.map((flavor) => (detail ? detailView(request, flavor) : basicView(request, flavor))),
        ...(more ? { flavors_links: [{ rel: 'next', href: baseUrl(request) + next }] } : {}),
      }
    })
  }

  app.post('/flavors', { config: { ...manage('create'), bodies: newFlavor.schemas } }, async (request) => {
    const { flavor: body } = check<NewFlavor>(newFlavor(request.microversion), request.body)
    const count = (field: keyof NewFlavor['flavor'], least: number) =>
      countOf((body[field] as number | string | undefined) ?? 0, field, least)
    const rxtxFactor = Number(body.rxtx_factor ?? 1)
    if (!(rxtxFactor > 0)) throw new CloudError('badRequest', 'Invalid input for field/attribute rxtx_factor.')
    const flavor = await flavors.create(deps, {
      id: body.id === undefined || body.id === null || body.id === 'auto' ? null : String(body.id),
      name: body.name.trim(),
      ...{ vcpus: count('vcpus', 1), memoryMiB: count('ram', 1), diskGiB: count('disk', 0) },
      ...{ ephemeralGiB: count('OS-FLV-EXT-DATA:ephemeral', 0), swapMiB: count('swap', 0), rxtxFactor },
      isPublic: isTrue(body['os-flavor-access:is_public'] ?? true),
      description: body.description ?? null,
    })
    return { flavor: detailView(request, flavor) }
  })

  const one = { params: Type.Object({ id: Type.String() }) }
  app.get('/flavors/:id', { config: { policy: 'authenticated' }, schema: one }, async (request) => ({
    flavor: detailView(request, await flavorRows.get(read, request.params.id, request.ctx)),
  }))

  const body = Type.Object({ flavor: Type.Object({ description: Description }, strict) }, strict)
  app.put(
    '/flavors/:id',
    { config: { ...manage('update'), since: '2.55' }, schema: { ...one, body } },
    async (request) => ({
      flavor: detailView(request, await flavors.describe(deps, request.params.id, request.body.flavor.description)),
    }),
  )

  app.delete('/flavors/:id', { config: manage('delete'), schema: one }, async (request, reply) => {
    await flavors.remove(deps, request.params.id)
    return reply.code(202).send()
  })
}

function flavorQuery(request: FastifyRequest): flavorRows.FlavorQuery & { linked: boolean } {
  const query = queryOf(request)
  const foreign = since(request, '2.75') && Object.keys(query).find((name) => !queryNames.has(name))
  if (foreign) {
    const text = `Invalid input for query parameters ${foreign}. Additional properties are not allowed ('${foreign}' was unexpected)`
    throw new CloudError('badRequest', text)
  }
  const number = (name: string): number => {
    const text = last(query, name) ?? '0'
    if (!/^\d+$/.test(text)) throw new CloudError('badRequest', `Invalid ${name} filter [${text}]`)
    return Number(text)
  }
  const sortName = last(query, 'sort_key') ?? 'flavorid'
  const sortKey = sortable[sortName]
  if (!sortKey) throw new CloudError('badRequest', `Invalid input for query parameters sort_key. Value: ${sortName}.`)
  const sortDir = last(query, 'sort_dir') ?? 'asc'
  if (sortDir !== 'asc' && sortDir !== 'desc') {
    throw new CloudError('badRequest', `Invalid input for query parameters sort_dir. Value: ${sortDir}.`)
  }
  return {
    isAdmin: request.ctx.isAdmin,
    projectId: request.ctx.projectId,
    isPublic: isPublicOf(request, last(query, 'is_public')),
    minMemoryMiB: number('minRam'),
    minDiskGiB: number('minDisk'),
    ...{ sortKey, sortDir },
    ...paging(query),
  }
}

/** Only administrators may look at others than those they have; `None` is all. */
function isPublicOf(request: FastifyRequest, text: string | undefined): boolean | null {
  if (!request.ctx.isAdmin || text === undefined) return true
  if (text.toLowerCase() === 'none') return null
  if (/^(t|true|1|on|y|yes|f|false|0|off|n|no)$/i.test(text)) return isTrue(text)
  throw new CloudError('badRequest', `Invalid is_public filter [${text}]`)
}

const basicView = (request: FastifyRequest, flavor: flavorRows.Flavor) => ({
  id: flavor.id,
  name: flavor.name,
  links: selfLinks(request, 'flavors', flavor.id),
  ...(since(request, '2.55') ? { description: flavor.description } : {}),
})

function detailView(request: FastifyRequest, flavor: flavorRows.Flavor): Record<string, unknown> {
  const withSpecs = since(request, '2.61') && mayAll(request, 'os_compute_api:os-flavor-extra-specs:index')
  return {
    ...basicView(request, flavor),
    ram: flavor.memoryMiB,
    disk: flavor.diskGiB,
    swap: flavor.swapMiB || (since(request, '2.75') ? 0 : ''),
    'OS-FLV-EXT-DATA:ephemeral': flavor.ephemeralGiB,
    'OS-FLV-DISABLED:disabled': false,
    vcpus: flavor.vcpus,
    'os-flavor-access:is_public': flavor.isPublic,
    rxtx_factor: flavor.rxtxFactor,
    ...(withSpecs ? { extra_specs: flavor.extraSpecs } : {}),
  }
}
