import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { check, compile } from '../../../platform/http/validation.ts'
import type { ComputeGroup, ComputeGroupRule, Deps } from '../logic/deps.ts'
import { last, paging, queryOf, requireUntil } from './common.ts'
import { findServer } from './find-server.ts'

/** The proxies end here; Networking's own API goes on. */
const lastProxy = '2.35'

const Text = Type.String({ maxLength: 255 })
const newGroup = compile(Type.Object({ security_group: Type.Object({ name: Text, description: Text }) }), 'body')
const Port = Type.Optional(Type.Union([Type.Integer(), Type.String(), Type.Null()]))
const Maybe = Type.Optional(Type.Union([Type.String(), Type.Null()]))
const newRule = compile(
  Type.Object({
    security_group_rule: Type.Object({
      ...{ parent_group_id: Type.String(), group_id: Maybe, cidr: Maybe, ip_protocol: Maybe },
      ...{ from_port: Port, to_port: Port },
    }),
  }),
  'body',
)
interface NewGroup {
  security_group: { name: string; description: string }
}
interface NewRule {
  security_group_rule: {
    parent_group_id: string
    group_id?: string | null
    cidr?: string | null
    ip_protocol?: string | null
    from_port?: number | string | null
    to_port?: number | string | null
  }
}

/** Proxies of Networking's groups. Source: Compute API reference, "Security groups" and "Rules for security group". */
export function securityGroupRoutes(app: App, deps: Deps): void {
  const { computeGroups } = deps.network
  const rule = (name: string) => ({ policy: `os_compute_api:os-security-groups:${name}` })
  const ofProject = (name: string) => ({ ...rule(name), check: 'handler' as const })
  const one = { params: Type.Object({ id: Type.String() }) }
  const allowed = (request: FastifyRequest) => {
    requireUntil(request, lastProxy)
    request.enforce({ project_id: request.ctx.projectId })
  }
  const idOf = (request: { params: { id: string } }) => uuid(request.params.id)

  app.get('/os-security-groups', { config: ofProject('get') }, async (request) => {
    allowed(request)
    const query = queryOf(request)
    const all = await computeGroups.list(request.ctx, last(query, 'all_tenants') !== undefined)
    const { limit } = paging(query)
    const offset = Number(last(query, 'offset') ?? 0)
    return { security_groups: all.slice(offset, offset + limit).map(groupView) }
  })
  app.post(
    '/os-security-groups',
    { config: { ...ofProject('create'), bodies: () => [newGroup.schema] } },
    async (request) => {
      allowed(request)
      const { security_group } = check<NewGroup>(newGroup, request.body)
      return { security_group: groupView(await computeGroups.create(request.ctx, security_group)) }
    },
  )
  app.get('/os-security-groups/:id', { config: ofProject('show'), schema: one }, async (request) => {
    allowed(request)
    return { security_group: groupView(await computeGroups.get(request.ctx, idOf(request))) }
  })
  app.put(
    '/os-security-groups/:id',
    { config: { ...ofProject('update'), bodies: () => [newGroup.schema] }, schema: one },
    async (request) => {
      allowed(request)
      const { name, description } = check<NewGroup>(newGroup, request.body).security_group
      return {
        security_group: groupView(await computeGroups.update(request.ctx, idOf(request), { name, description })),
      }
    },
  )
  app.delete('/os-security-groups/:id', { config: ofProject('delete'), schema: one }, async (request, reply) => {
    allowed(request)
    await computeGroups.remove(request.ctx, idOf(request))
    return reply.code(202).send()
  })
  app.post(
    '/os-security-group-rules',
    { config: { ...ofProject('rule:create'), bodies: () => [newRule.schema] } },
    async (request) => {
      allowed(request)
      const wanted = check<NewRule>(newRule, request.body).security_group_rule
      return { security_group_rule: ruleView(await computeGroups.createRule(request.ctx, ruleOf(wanted))) }
    },
  )
  app.delete(
    '/os-security-group-rules/:id',
    { config: ofProject('rule:delete'), schema: one },
    async (request, reply) => {
      allowed(request)
      await computeGroups.removeRule(request.ctx, idOf(request))
      return reply.code(202).send()
    },
  )
  app.get('/servers/:id/os-security-groups', { config: ofProject('list'), schema: one }, async (request) => {
    const server = await findServer(deps, request, request.params.id)
    return { security_groups: (await computeGroups.ofServer(server.id)).map(groupView) }
  })
}

function uuid(id: string): string {
  if (/^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(id)) return id
  throw new CloudError('badRequest', `Security group id should be uuid, not ${id}`)
}

/** @throws CloudError `badRequest` */
function ruleOf(wanted: NewRule['security_group_rule']) {
  const remoteGroupId = wanted.group_id == null ? null : uuid(wanted.group_id)
  const protocol = wanted.ip_protocol?.toLowerCase() || null
  let [from, to] = [wanted.from_port, wanted.to_port].map((port) => (port == null ? null : Number(port))) as [
    number | null,
    number | null,
  ]
  const all = protocol !== null && from === null && to === null && remoteGroupId !== null
  if (all) [from, to] = protocol === 'icmp' ? [-1, -1] : [1, 65535]
  if (protocol === null || from === null || to === null) {
    if (remoteGroupId === null) throw new CloudError('badRequest', 'Not enough parameters to build a valid rule.')
    ;[from, to] = [null, null]
  } else if (!['tcp', 'udp', 'icmp'].includes(protocol)) {
    throw new CloudError('badRequest', `Invalid IP protocol ${wanted.ip_protocol}.`)
  } else checkPorts(protocol, from, to)
  const open = protocol === 'icmp' && from === -1
  return {
    ...{ groupId: uuid(wanted.parent_group_id), remoteGroupId, protocol },
    ...{ portMin: open ? null : from, portMax: open || to === -1 ? null : to },
    cidr: remoteGroupId === null ? cidrOf(wanted.cidr) : null,
  }
}

function checkPorts(protocol: string, from: number, to: number): void {
  const refuse = (why: string): never => {
    throw new CloudError('badRequest', `Invalid port range ${from}:${to}. ${why}`)
  }
  if (!Number.isInteger(from) || !Number.isInteger(to)) {
    throw new CloudError('badRequest', 'Invalid input received: To and From ports must be integers')
  }
  if (protocol === 'icmp') {
    if (from < -1 || from > 255 || to < -1 || to > 255) refuse('For ICMP, the type:code must be valid')
    return
  }
  if (from > to) refuse('Former value cannot be greater than the later')
  if (from < 1 || to > 65535) refuse(`Valid ${protocol.toUpperCase()} ports should be between 1-65535`)
}

function cidrOf(text: string | null | undefined): string {
  if (!text) return '0.0.0.0/0'
  const [address = '', prefix, ...rest] = text.split('/')
  const whole = address.includes(':') ? 128 : 32
  const length = prefix === undefined ? whole : Number(prefix)
  const isAddress = address.includes(':') ? /^[0-9a-f:.]+$/i.test(address) : /^\d{1,3}(\.\d{1,3}){3}$/.test(address)
  if (rest.length > 0 || !isAddress || !Number.isInteger(length) || length < 0 || length > whole) {
    throw new CloudError('badRequest', `Invalid cidr ${text}.`)
  }
  if (length === 0 && address !== '0.0.0.0' && address !== '::') {
    throw new CloudError('badRequest', `Bad prefix for network in cidr ${text}`)
  }
  return `${address}/${length}`
}

const groupView = ({ id, name, description, projectId, rules }: ComputeGroup) => ({
  ...{ id, name, description, tenant_id: projectId },
  rules: rules.map(ruleView),
})

/** Where Networking says "all" by leaving ports out, this API says so in numbers. */
function ruleView({ id, groupId, protocol, portMin, portMax, cidr, remote }: ComputeGroupRule) {
  const all = protocol !== null && portMin === null && portMax === null
  const everyPort = protocol === 'tcp' || protocol === 'udp' ? [1, 65535] : [-1, -1]
  const [from_port, to_port] = all ? everyPort : [portMin, portMax]
  return {
    ...{ id, parent_group_id: groupId, ip_protocol: protocol, from_port, to_port },
    group: remote ? { name: remote.name, tenant_id: remote.projectId } : {},
    ip_range: remote ? {} : { cidr: cidr ?? '0.0.0.0/0' },
  }
}
