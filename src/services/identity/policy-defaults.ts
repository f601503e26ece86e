import type { RuleDefault, ScopeType } from '../../platform/auth/policy.ts'

/**
 * Parts of Identity's defaults. Each rule has two: the new one, by which a project's or a domain's administrator rules
 * that project or domain and only the system's (or the admin project's) the cloud, and the deprecated one, by which
 * whoever is `admin` anywhere is it everywhere. Source: Keystone documentation, "Administrator personas".
 */
const admin = 'rule:admin_required'
const adminOrSystemReader = `${admin} or (role:reader and system_scope:all)`

/** A token scoped to a domain will not do: so the deprecated defaults without scopes being enforced. */
const notByDomain = (check: string) => `(${check}) and domain_id:None`

export const systemAdmin = 'rule:system_admin'
export const systemReader = 'rule:system_reader'

export const domainReaderOf = (attribute: string) => `(role:reader and domain_id:%(${attribute})s)`
export const domainManagerOf = (attribute: string) => `((role:admin or role:manager) and domain_id:%(${attribute})s)`

const anyScope: readonly ScopeType[] = ['system', 'domain', 'project']
const noDomain: readonly ScopeType[] = ['system', 'project']

/** Of the cloud as a whole: changed by its administrators, looked at by its readers. */
export const adminOnly: RuleDefault = { check: systemAdmin, scopeTypes: noDomain, deprecated: notByDomain(admin) }
export const lookedAt: RuleDefault = {
  check: systemReader,
  scopeTypes: noDomain,
  deprecated: notByDomain(adminOrSystemReader),
}

/** Everybody with a token may. */
export const everybody: RuleDefault = { check: '', scopeTypes: anyScope }

/** For the cloud's readers, and those whom `others` describes. */
export const readBy = (others: string, deprecatedOthers = others): RuleDefault => ({
  check: `${systemReader} or ${others}`,
  scopeTypes: anyScope,
  deprecated: `${adminOrSystemReader} or ${deprecatedOthers}`,
})

/** For the cloud's administrators, and those whom `others` describes. */
export const changedBy = (others: string, deprecatedOthers = others): RuleDefault => ({
  check: `${systemAdmin} or ${others}`,
  scopeTypes: anyScope,
  deprecated: `${admin} or ${deprecatedOthers}`,
})

/** The same where a token scoped to a domain will not do. */
export const personal = ({ check, deprecated }: RuleDefault): RuleDefault => ({
  check: notByDomain(check),
  scopeTypes: noDomain,
  ...(deprecated !== undefined && { deprecated: notByDomain(deprecated) }),
})

/** Only what a token scoped to a project may. */
export const inProject = (check: string): RuleDefault => ({
  check: `${notByDomain(check)} and system_scope:None`,
  scopeTypes: ['project'],
})

/** The same default under several names. */
export const each = (names: readonly string[], rule: RuleDefault): Record<string, RuleDefault> =>
  Object.fromEntries(names.map((name) => [`identity:${name}`, rule]))
