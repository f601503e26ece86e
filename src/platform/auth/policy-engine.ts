import { existsSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'
import type { Context } from './context.ts'
import type { Overrides, Policy, PolicySwitches, RuleDefault, Rules, ScopeType } from './policy.ts'
import { explain, explainDefaults, withScope } from './policy-explain.ts'
import { type Check, type Credentials, compile } from './policy-language.ts'

/** A rule refers to one that is not there. */
class NoSuchRule extends Error {}

/** As upstream starts: scopes are not looked at, and what deprecated defaults allow is allowed. */
const lenient: PolicySwitches = { enforceScope: false, enforceNewDefaults: false, adminProject: '' }

const defaultOf = (rule: string | RuleDefault): RuleDefault => (typeof rule === 'string' ? { check: rule } : rule)

/**
 * Compiles every rule once. Later sets win over earlier ones, `overrides` over all; an override may also bring helper
 * rules of its own. Overrides serve every service of the cloud, so those that name none of these rules, and to which
 * none of them leads, are somebody else's. So is one for a name that several services have (`context_is_admin`) when it
 * refers to a rule that only others have: here the service's own rule holds. `checkOverrides` finds slips of the pen.
 *
 * A default that has a deprecated one is `new or deprecated`, unless the switch says that only the new one counts; an
 * override stands alone. Scope types are looked at when a rule is enforced, not where another rule refers to it.
 * Source: oslo.policy documentation, "Enforcer".
 * @throws Error that names the rule when it can not be read, refers to a rule that does not exist, or to itself.
 */
export function createPolicy(
  rules: readonly Rules[],
  overrides: Overrides = {},
  switches: PolicySwitches = lenient,
): Policy {
  const defaults = new Map(rules.flatMap((set) => Object.entries(set).map(([name, rule]) => [name, defaultOf(rule)])))
  const own = new Map([...defaults].map(([name, rule]) => [name, inForce(rule, switches)]))
  const texts = new Map([...own, ...Object.entries(overrides)])
  const credentialsOf = credentialsFor(switches.adminProject)
  const compiled = new Map<string, Check>()
  const begun: string[] = []

  const resolve = (name: string): Check => {
    const ready = compiled.get(name)
    if (ready) return ready
    const text = texts.get(name)
    if (text === undefined) throw new NoSuchRule(`there is no rule "${name}"`)
    if (begun.includes(name)) throw new Error(`it refers to itself: ${[...begun, name].join(' → ')}`)
    const depth = begun.push(name)
    const check = compileOr(own.get(name), text)
    begun.length = depth - 1
    compiled.set(name, check)
    return check
  }
  const compileOr = (ours: string | undefined, text: string): Check => {
    const depth = begun.length
    try {
      return compile(text, resolve)
    } catch (error) {
      if (!(error instanceof NoSuchRule) || ours === undefined || ours === text) throw error
      begun.length = depth
      return compile(ours, resolve)
    }
  }
  for (const name of own.keys()) {
    try {
      begun.length = 0
      resolve(name)
    } catch (error) {
      throw new Error(`Policy rule "${name}" (${texts.get(name)}): ${(error as Error).message}`, { cause: error })
    }
  }

  const scopesOf = (rule: string): readonly ScopeType[] | undefined =>
    switches.enforceScope ? defaults.get(rule)?.scopeTypes : undefined
  return {
    has: (rule) => compiled.has(rule),
    check: (rule, ctx, target) => {
      const check = compiled.get(rule)
      if (!check) throw new Error(`There is no policy rule "${rule}"`)
      const scopes = scopesOf(rule)
      return (!scopes || scopes.includes(scopeOf(ctx))) && check(credentialsOf(ctx), target)
    },
    explain: (rule, ctx, target) => {
      const { check, deprecated } = defaults.get(rule) ?? {}
      const both =
        !(rule in overrides) && !switches.enforceNewDefaults && deprecated !== undefined && check !== undefined
      const told = both
        ? explainDefaults(rule, { check, deprecated }, texts, credentialsOf(ctx), target)
        : explain(rule, texts, credentialsOf(ctx), target)
      const scopes = scopesOf(rule)
      return scopes ? withScope(told, scopes, scopeOf(ctx)) : told
    },
  }
}

/** The check string of a default as the switches have it. */
function inForce({ check, deprecated }: RuleDefault, { enforceNewDefaults }: PolicySwitches): string {
  if (enforceNewDefaults || deprecated === undefined || deprecated === check) return check
  // An empty check string allows everybody, alone and as part of an "or".
  return check === '' || deprecated === '' ? '' : `(${check}) or (${deprecated})`
}

/** Source: oslo.policy, "Enforcer": what is neither the system's nor a domain's token is a project's. */
const scopeOf = (ctx: Context): ScopeType => (ctx.system ? 'system' : ctx.domainId !== null ? 'domain' : 'project')

/**
 * Overrides may lead to any service's rules, but not to rules that no service has.
 * @throws Error that names the override.
 */
export function checkOverrides(everyService: readonly Rules[], overrides: Overrides): void {
  const names = new Set([...everyService, overrides].flatMap((set) => Object.keys(set)))
  for (const [name, text] of Object.entries(overrides)) {
    const wrong = `Policy rule "${name}" (${text})`
    try {
      compile(text, (other) => {
        if (!names.has(other)) throw new NoSuchRule(`there is no rule "${other}"`)
        return () => false
      })
    } catch (error) {
      throw new Error(`${wrong}: ${(error as Error).message}`, { cause: error })
    }
  }
}

/**
 * What check strings may say of the caller; one per context, as a request checks several rules and a list one rule
 * many times. Source: oslo.context, "RequestContext.to_policy_values".
 */
function credentialsFor(adminProject: string): (ctx: Context) => Credentials {
  const known = new WeakMap<Context, Credentials>()
  return (ctx) => {
    const ready = known.get(ctx)
    if (ready) return ready
    const credentials: Credentials = {
      user_id: ctx.userId,
      user_domain_id: ctx.userDomainId,
      project_id: ctx.projectId,
      tenant_id: ctx.projectId,
      project_domain_id: ctx.projectDomainId,
      domain_id: ctx.domainId,
      'token.project.domain.id': ctx.projectDomainId, // Keystone's own names for the two
      'token.domain.id': ctx.domainId,
      system_scope: ctx.system ? 'all' : null,
      roles: ctx.roles,
      is_admin: ctx.isAdmin,
      is_admin_project: ctx.projectName === adminProject && ctx.projectDomainId === defaultDomainId,
    }
    known.set(ctx, credentials)
    return credentials
  }
}

/** The domain that every cloud starts with has this id, as Keystone's. */
const defaultDomainId = 'default'

/**
 * Reads `policy.yaml`: a map of rule name to check string, or to oslo.policy's older list of lists (an "or" of
 * "and"s). No file, no overrides.
 * @throws Error that names the file and what is wrong with it.
 */
export function readOverrides(file: string): Overrides {
  if (!existsSync(file)) return {}
  const content: unknown = parse(readFileSync(file, 'utf8')) ?? {}
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new Error(`${file} is not a map of rule names to check strings`)
  return Object.fromEntries(
    Object.entries(content).map(([name, value]) => {
      const text = textOf(value)
      if (text === null) throw new Error(`${file}: rule "${name}" is neither a check string nor a list of checks`)
      return [name, text]
    }),
  )
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return null
  const alternatives = value.map((entry: unknown) => {
    const checks: unknown[] = Array.isArray(entry) ? entry : [entry]
    return checks.every((check) => typeof check === 'string') ? `(${checks.join(' and ')})` : null
  })
  return alternatives.includes(null) ? null : alternatives.join(' or ')
}
