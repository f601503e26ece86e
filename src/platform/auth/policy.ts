import type { Context } from './context.ts'

/** What a rule's `%(name)s` reads: attributes of the thing acted on, keys with dots written flat (`target.user.id`). */
export type Target = Readonly<Record<string, unknown>>

/** Upstream's rule name → check string in oslo.policy's language. */
export type Rules = Readonly<Record<string, string>>

/** Why a rule says what it says: the tree of its checks, each with its own verdict. */
export interface Explained {
  /** `and`, `or`, `not`, or the check as it is written. */
  readonly text: string
  readonly allowed: boolean
  /** A check: what it found on the two sides. A `rule:`: nothing, its parts say it. */
  readonly because?: string
  readonly parts: readonly Explained[]
}

/** Decides by rules in oslo.policy's language. Source: oslo.policy documentation, "oslo_policy.policy". */
export interface Policy {
  has(rule: string): boolean
  check(rule: string, ctx: Context, target: Target): boolean
  /** `check` for people: slower, and it looks at every part. */
  explain(rule: string, ctx: Context, target: Target): Explained
}
