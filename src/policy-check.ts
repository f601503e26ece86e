import type { PolicyAnswer, PolicyQuestion } from './cli/running-cloud.ts'
import { CloudError } from './platform/errors.ts'
import { listed, type Services } from './services/index.ts'
import { suggestion } from './words.ts'

/** Asks the policy of the service that has the rule, as that user with the roles of now. */
export async function explainPolicy(services: Services, question: PolicyQuestion): Promise<PolicyAnswer> {
  const { rule, user, project, domain, system } = question
  const service = listed(services).find(({ app }) => app?.policy.has(rule))
  if (!service?.app) {
    const known = listed(services).flatMap(({ app }) => app?.routeList.map(({ policy }) => policy) ?? [])
    throw new CloudError('notFound', `there is no rule ${rule}${suggestion(rule, [...new Set(known)])}`)
  }
  const ctx = await services.identity.contextAs({
    user,
    ...(project !== undefined && { project }),
    ...(domain !== undefined && { domain }),
    ...(system !== undefined && { system }),
  })
  // Without a thing to act on, the caller's own: as a request has it.
  const own = { project_id: ctx.projectId, tenant_id: ctx.projectId, user_id: ctx.userId, domain_id: ctx.domainId }
  const target = { ...own, ...question.target }
  const inProject = ctx.projectId === null ? 'no scope' : `project ${ctx.projectName} (${ctx.projectId})`
  return {
    service: service.name,
    user: `${ctx.userName} (${ctx.userId})`,
    scope: ctx.system ? 'system' : ctx.domainId === null ? inProject : `domain ${ctx.domainId}`,
    roles: ctx.roles,
    target,
    explained: service.app.policy.explain(rule, ctx, target),
  }
}
