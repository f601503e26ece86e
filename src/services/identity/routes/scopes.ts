import type { Context } from '../../../platform/auth/context.ts'
import type { Target } from '../../../platform/auth/policy.ts'
import type { Filter } from '../db/lists.ts'
import { defaultDomainId } from '../logic/seed.ts'

/** The domain of what is made without naming one: the caller's. */
export const ownDomain = (ctx: Context): string => ctx.domainId ?? ctx.projectDomainId ?? defaultDomainId

/** A caller whose token is for a domain sees that domain only. */
export function ownDomainOnly(ctx: Context, column = 'domain_id'): Filter[] {
  return ctx.domainId === null ? [] : [{ column, operator: 'equals', value: ctx.domainId }]
}

/** `target.<noun>.id` and `.domain_id`, under the names that policies use; nothing for what does not exist. */
export function targetOf(
  noun: string,
  found: { id: string; domainId: string | null; name?: string } | undefined,
): Target {
  if (!found) return {}
  return {
    [`target.${noun}.id`]: found.id,
    [`target.${noun}.domain_id`]: found.domainId,
    ...(found.name === undefined ? {} : { [`target.${noun}.name`]: found.name }),
  }
}
