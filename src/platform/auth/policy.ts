import type { Context } from './context.ts'

/** What a rule's `%(name)s` reads: attributes of the thing acted on, keys with dots written flat (`target.user.id`). */
export type Target = Readonly<Record<string, unknown>>

/** Upstream's rule name → check string in oslo.policy's language. */
export type Rules = Readonly<Record<string, string>>

/** Decides by rules in oslo.policy's language. Source: oslo.policy documentation, "oslo_policy.policy". */
export interface Policy {
  has(rule: string): boolean
  check(rule: string, ctx: Context, target: Target): boolean
}
