import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as flavorRows from '../db/flavors.ts'
import { isPrivileged, readDockerSpecs } from '../docker-specs.ts'
import type { Deps } from '../logic/deps.ts'
import { checkSpecs } from '../logic/extra-specs.ts'
import * as flavors from '../logic/flavors.ts'
import { since } from './common.ts'

const strict = { additionalProperties: false }
const Specs = Type.Record(
  Type.String({ pattern: '^[a-zA-Z0-9-_:. ]{1,255}$' }),
  Type.Union([Type.String({ maxLength: 255 }), Type.Number()]),
  strict,
)
const textOf = (specs: Readonly<Record<string, string | number>>): Record<string, string> =>
  Object.fromEntries(Object.entries(specs).map(([key, value]) => [key, String(value)]))

/** What our own namespace says is checked whatever the microversion. @throws CloudError, PolicyRefusal */
function allowDocker(request: FastifyRequest, specs: Readonly<Record<string, string>>): void {
  const docker = Object.entries(specs).flatMap(([key, value]) =>
    key.startsWith('docker:') ? [[key.slice('docker:'.length), value] as const] : [],
  )
  readDockerSpecs(Object.fromEntries(docker), 1)
  const { projectId, userId } = request.ctx
  if (docker.some(([key]) => isPrivileged(key))) {
    request.enforce({ project_id: projectId, user_id: userId }, 'berth:flavors:docker_privileges')
  }
}

/** Source: Compute API reference, "Flavors extra-specs". */
export function flavorExtraSpecRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const config = (name: string) => ({ policy: `os_compute_api:os-flavor-extra-specs:${name}` })
  const one = { params: Type.Object({ id: Type.String() }) }
  const spec = { params: Type.Object({ id: Type.String(), key: Type.String() }) }

  app.get('/flavors/:id/os-extra_specs', { config: config('index'), schema: one }, async (request) => ({
    extra_specs: (await flavorRows.get(read, request.params.id, request.ctx)).extraSpecs,
  }))

  app.post(
    '/flavors/:id/os-extra_specs',
    { config: config('create'), schema: { ...one, body: Type.Object({ extra_specs: Specs }, strict) } },
    async (request) => {
      const specs = textOf(request.body.extra_specs)
      allowDocker(request, specs)
      if (since(request, '2.86')) checkSpecs(specs)
      await flavors.putSpecs(deps, request.params.id, specs)
      return { extra_specs: specs }
    },
  )

  app.get('/flavors/:id/os-extra_specs/:key', { config: config('show'), schema: spec }, async (request) => {
    const { id, key } = request.params
    const { extraSpecs } = await flavorRows.get(read, id, request.ctx)
    const value = extraSpecs[key]
    if (value === undefined) throw flavors.noSpec(id, key)
    return { [key]: value }
  })

  app.put(
    '/flavors/:id/os-extra_specs/:key',
    { config: config('update'), schema: { ...spec, body: Specs } },
    async (request) => {
      const { id, key } = request.params
      const specs = textOf(request.body)
      if (Object.keys(specs).length > 1) throw new CloudError('badRequest', 'Request body contains too many items')
      if (specs[key] === undefined) throw new CloudError('badRequest', 'Request body and URI mismatch')
      allowDocker(request, specs)
      if (since(request, '2.86')) checkSpecs(specs)
      await flavors.putSpecs(deps, id, specs)
      return specs
    },
  )

  app.delete('/flavors/:id/os-extra_specs/:key', { config: config('delete'), schema: spec }, async (request, reply) => {
    await flavors.removeSpec(deps, request.params.id, request.params.key)
    return reply.code(200).send()
  })
}
