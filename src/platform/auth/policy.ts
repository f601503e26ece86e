import type { Context } from './context.ts'

/** What a rule's `%(name)s` reads: attributes of the thing acted on, keys with dots written flat (`target.user.id`). */
export type Target = Readonly<Record<string, unknown>>

/** What a token can be scoped to; an unscoped one counts as `project`, as oslo.policy counts it. */
export type ScopeType = 'system' | 'domain' | 'project'

/** A default with its history. Source: oslo.policy documentation, "RuleDefault" and "DeprecatedRule". */
export interface RuleDefault {
  readonly check: string
  /** With `enforceScope`, a token of any other scope is refused. */
  readonly scopeTypes?: readonly ScopeType[]
  /** What allowed it before; until `enforceNewDefaults`, it still does. An override replaces both. */
  readonly deprecated?: string
}

/** Upstream's rule name → check string in oslo.policy's language, or that with its history. */
export type Rules = Readonly<Record<string, string | RuleDefault>>

/** What `policy.yaml` says: rule name → check string. */
export type Overrides = Readonly<Record<string, string>>

/** oslo.policy's own two switches, and the project whose administrators are the cloud's. */
export interface PolicySwitches {
  readonly enforceScope: boolean
  readonly enforceNewDefaults: boolean
  /** Name of a project of the domain Default; empty: no project's, only the system's. */
  readonly adminProject: string
}

/** The same rules for tokens of these scopes only. */
export const scoped = (scopeTypes: readonly ScopeType[], rules: Rules): Rules =>
  Object.fromEntries(
    Object.entries(rules).map(([name, rule]) => [
      name,
      typeof rule === 'string' ? { check: rule, scopeTypes } : { scopeTypes, ...rule },
    ]),
  )

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
