import type { Rules } from '../../platform/auth/policy.ts'
import { adminOnly, each, lookedAt } from './policy-defaults.ts'

const nouns = [
  ['identity_provider', 'identity_providers'],
  ['protocol', 'protocols'],
  ['mapping', 'mappings'],
  ['service_provider', 'service_providers'],
] as const

/** Source: Keystone documentation, "Policy configuration"; OS-FEDERATION's default rules and scope types. */
export const federationRules: Rules = {
  ...each(
    nouns.flatMap(([one, all]) => [`get_${one}`, `list_${all}`]),
    lookedAt,
  ),
  ...each(
    nouns.flatMap(([one]) => [`create_${one}`, `update_${one}`, `delete_${one}`]),
    adminOnly,
  ),
}
