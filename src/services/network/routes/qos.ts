import type { FastifyRequest } from 'fastify'
import { seconds } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as qosRows from '../db/qos.ts'
import type { QosRuleType } from '../db/sharing-tables.ts'
import { tagsOf } from '../db/tags.ts'
import { acceptCreate, acceptUpdate } from '../logic/attributes.ts'
import type { Deps } from '../logic/deps.ts'
import * as qos from '../logic/qos.ts'
import { qosPolicy, qosRules, ruleTypeDetails } from '../logic/qos-resources.ts'
import { type Chapter, crud, seenRow, type View } from './crud.ts'
import { fieldsOf, matching, selected } from './query.ts'

type PolicyChapter = Chapter<qosRows.QosPolicyRow, qos.NewQosPolicy, qos.QosPolicyChanges>

/** Source: Network API reference, "QoS policies", "QoS rules", "QoS rule types". */
export function qosRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const chapter: PolicyChapter = {
    resource: qosPolicy,
    path: '/v2.0/qos/policies',
    list: qosRows.list,
    find: qosRows.find,
    notFound: qos.qosPolicyNotFound,
    sharedAs: 'qos_policy',
    tagged: { table: 'network_qos_policies', path: '/v2.0/policies', rule: 'update_policy:tags' },
    async views(rows) {
      const ids = rows.map((row) => row.id)
      const rules = Map.groupBy(await qosRows.rulesOf(db, ids), (rule) => rule.policy_id)
      return rows.map((row) => policyView(row, rules.get(row.id) ?? []))
    },
    create: (deps, _request, items) => qos.create(deps, items),
    update: (deps, _request, id, changes) => qos.update(deps, id, changes),
    remove: (deps, _request, id) => qos.remove(deps, id),
  }
  crud(app, deps, chapter)
  for (const type of Object.keys(qosRules) as QosRuleType[]) {
    ruleRoutes(app, deps, chapter, type)
    aliasRoutes(app, deps, chapter, type)
  }
  ruleTypeRoutes(app)
}

const policyView = (row: qosRows.QosPolicyRow, rules: readonly qosRows.QosRuleRow[]): View => ({
  id: row.id,
  name: row.name,
  tenant_id: row.project_id,
  is_default: row.is_default === 1,
  rules: rules.map((rule) => ({ ...ruleView(rule), qos_policy_id: row.id, type: rule.type })),
  description: row.description,
  tags: tagsOf(row),
  created_at: seconds(row.created_at),
  updated_at: seconds(row.updated_at),
  revision_number: row.revision_number,
  project_id: row.project_id,
})

const ruleView = (row: qosRows.QosRuleRow): View =>
  row.type === 'dscp_marking'
    ? { id: row.id, dscp_mark: row.dscp_mark }
    : { id: row.id, max_kbps: row.max_kbps, max_burst_kbps: row.max_burst_kbps, direction: row.direction }

interface RuleParams {
  policy: string
  id: string
}

function ruleRoutes(app: App, deps: Deps, chapter: PolicyChapter, type: QosRuleType): void {
  const db = deps.database.read
  const resource = qosRules[type]
  const { singular, plural } = resource
  const path = `/v2.0/qos/policies/:policy/${plural}`
  const rule = (action: string) => ({ config: { policy: `${action}_policy_${singular}`, check: 'handler' } as const })
  /** The policy, if the caller may do this with its rules. */
  async function allowed(request: FastifyRequest): Promise<RuleParams> {
    const params = request.params as RuleParams
    // Who may not do this with a policy of their own is not told whether this one exists.
    const { projectId } = request.ctx
    request.enforce({ project_id: projectId, tenant_id: projectId })
    request.enforce((await seenRow(request, deps, chapter, params.policy)).target)
    return params
  }

  app.get(path, rule('get'), async (request) => {
    const { policy } = await allowed(request)
    const rows = (await qosRows.rulesOf(db, [policy])).filter((row) => row.type === type)
    const views = matching(request, resource, rows.map(ruleView))
    return { [plural]: views.map((view) => selected(view, fieldsOf(request))) }
  })
  app.post(path, rule('create'), async (request, reply) => {
    const { policy } = await allowed(request)
    const [item] = acceptCreate<qos.RuleWish>(resource, request.ctx, request.body).items
    const row = await qos.setRule(deps, policy, type, item!.values, null)
    return reply.code(201).send({ [singular]: ruleView(row) })
  })
  app.get(`${path}/:id`, rule('get'), async (request) => {
    const { policy, id } = await allowed(request)
    return { [singular]: selected(ruleView(await qos.getRule(db, policy, id, type)), fieldsOf(request)) }
  })
  app.put(`${path}/:id`, rule('update'), async (request) => {
    const { policy, id } = await allowed(request)
    const { values } = acceptUpdate<qos.RuleWish>(resource, request.body)
    return { [singular]: ruleView(await qos.setRule(deps, policy, type, values, id)) }
  })
  app.delete(`${path}/:id`, rule('delete'), async (request, reply) => {
    const { policy, id } = await allowed(request)
    await qos.removeRule(deps, policy, id, type)
    return reply.code(204).send()
  })
}

/** The same rules without their policy in the path. Source: extension `qos-rules-alias`. */
function aliasRoutes(app: App, deps: Deps, chapter: PolicyChapter, type: QosRuleType): void {
  const { singular, plural, attributes } = qosRules[type]
  const resource = { singular: `alias_${singular}`, plural: `alias_${plural}`, attributes }
  const path = `/v2.0/qos/alias-${plural.replaceAll('_', '-')}/:id`
  const rule = (action: string) => ({ config: { policy: `${action}_alias_${singular}`, check: 'handler' } as const })
  async function found(request: FastifyRequest): Promise<qosRows.QosRuleRow> {
    const { id } = request.params as RuleParams
    const row = await qosRows.findRule(deps.database.read, id, type)
    if (!row) throw qos.qosRuleNotFound('', id)
    request.enforce((await seenRow(request, deps, chapter, row.policy_id)).target)
    return row
  }

  app.get(path, rule('get'), async (request) => ({ [resource.singular]: ruleView(await found(request)) }))
  app.put(path, rule('update'), async (request) => {
    const { policy_id, id } = await found(request)
    const { values } = acceptUpdate<qos.RuleWish>(resource, request.body)
    return { [resource.singular]: ruleView(await qos.setRule(deps, policy_id, type, values, id)) }
  })
  app.delete(path, rule('delete'), async (request, reply) => {
    const { policy_id, id } = await found(request)
    await qos.removeRule(deps, policy_id, id, type)
    return reply.code(204).send()
  })
}

function ruleTypeRoutes(app: App): void {
  const types = Object.keys(ruleTypeDetails) as QosRuleType[]
  const resource = { singular: 'rule_type', plural: 'rule_types', attributes: { type: {} } }
  const config = { policy: 'get_rule_type' }
  app.get('/v2.0/qos/rule-types', { config }, async (request) => {
    // Every type is served by the one driver there is: both filters of `qos-rule-type-filter` ask for all of them.
    const { all_supported: _, all_rules: __, ...query } = request.query as Record<string, string>
    const plain = Object.assign(Object.create(request) as FastifyRequest, { query })
    const all = matching(
      plain,
      resource,
      types.map((type) => ({ type })),
    )
    return { rule_types: all.map((one) => selected(one, fieldsOf(request))) }
  })
  app.get('/v2.0/qos/rule-types/:type', { config: { ...config, check: 'handler' } }, async (request) => {
    const { type } = request.params as { type: string }
    request.enforce({}, 'context_is_admin') // how it is done is the operator's business
    const known = types.find((one) => one === type)
    if (!known) {
      throw new CloudError('notFound', `Rule type ${type} could not be found.`, { type: 'QosRuleTypeNotFound' })
    }
    const drivers = [{ name: 'linuxbridge', supported_parameters: ruleTypeDetails[known] }]
    return { rule_type: { type: known, drivers } }
  })
}
