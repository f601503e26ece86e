import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { check } from '../../../platform/http/validation.ts'
import type { Deps } from '../logic/deps.ts'
import * as groups from '../logic/server-groups.ts'
import { last, Name, paging, queryOf, since, versioned } from './common.ts'

const strict = { additionalProperties: false }
const hard = ['anti-affinity', 'affinity']
const soft = ['soft-anti-affinity', 'soft-affinity']
const PerHost = Type.Union([Type.Integer({ minimum: 1 }), Type.String({ pattern: '^[1-9][0-9]{0,8}$' })])
const newGroup = versioned(['2.1', '2.15', '2.64'], (at) => {
  const policy = Type.Enum(at('2.15') ? [...hard, ...soft] : hard)
  const rest = at('2.64')
    ? { policy, rules: Type.Optional(Type.Object({ max_server_per_host: Type.Optional(PerHost) }, strict)) }
    : { policies: Type.Array(policy, { minItems: 1, maxItems: 1 }) }
  return Type.Object({ server_group: Type.Object({ name: Name, ...rest }, strict) }, strict)
})
interface NewGroup {
  server_group: {
    name: string
    policy?: groups.GroupPolicy
    policies?: groups.GroupPolicy[]
    rules?: { max_server_per_host?: number | string }
  }
}

/** Source: Compute API reference, "Server groups (os-server-groups)". */
export function serverGroupRoutes(app: App, deps: Deps): void {
  const { read } = deps.ground.database
  const root = 'os_compute_api:os-server-groups'
  const config = (name: string) => ({ policy: `${root}:${name}`, check: 'handler' as const })
  const one = { params: Type.Object({ id: Type.String() }) }
  const ownProject = (request: FastifyRequest) => ({ project_id: request.ctx.projectId })

  app.get('/os-server-groups', { config: config('index') }, async (request) => {
    request.enforce(ownProject(request))
    const query = queryOf(request)
    const everybody = request.ctx.isAdmin && last(query, 'all_projects') !== undefined
    if (everybody) request.enforce(ownProject(request), `${root}:index:all_projects`)
    const offset = last(query, 'offset') ?? '0'
    if (!/^\d{1,9}$/.test(offset)) throw new CloudError('badRequest', 'offset must be a whole number')
    const page = { limit: paging(query).limit, offset: Number(offset) }
    const found = await groups.list(read, everybody ? null : (request.ctx.projectId ?? ''), page)
    return { server_groups: found.map((group) => view(request, group)) }
  })

  app.post('/os-server-groups', { config: { ...config('create'), bodies: newGroup.schemas } }, async (request) => {
    request.enforce(ownProject(request))
    const { server_group: body } = check<NewGroup>(newGroup(request.microversion), request.body)
    const policy = body.policy ?? body.policies![0]!
    const perHost = body.rules?.max_server_per_host
    if (perHost !== undefined && policy !== 'anti-affinity') {
      throw new CloudError('badRequest', 'Only anti-affinity policy supports rules.')
    }
    const rules = perHost === undefined ? {} : { max_server_per_host: Number(perHost) }
    const made = await groups.create(deps, request.ctx, { name: body.name.trim(), policy, rules })
    return { server_group: view(request, made) }
  })

  app.get('/os-server-groups/:id', { config: config('show'), schema: one }, async (request) => {
    const group = await groups.get(read, request.ctx, request.params.id)
    request.enforce({ project_id: group.projectId })
    return { server_group: view(request, group) }
  })

  app.delete('/os-server-groups/:id', { config: config('delete'), schema: one }, async (request, reply) => {
    const group = await groups.get(read, request.ctx, request.params.id)
    request.enforce({ project_id: group.projectId })
    await groups.remove(deps, request.ctx, group.id)
    return reply.code(204).send()
  })
}

const view = (request: FastifyRequest, group: groups.ServerGroup) => ({
  ...{ id: group.id, name: group.name, members: group.members.map((member) => member.id) },
  ...(since(request, '2.64')
    ? { policy: group.policy, rules: group.rules }
    : { policies: [group.policy], metadata: {} }),
  ...(since(request, '2.13') ? { project_id: group.projectId, user_id: group.userId } : {}),
})
