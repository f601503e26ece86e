import type { Rules } from '../../platform/auth/policy.ts'
import { adminOnly, each, everybody, inProject, lookedAt, systemReader } from './policy-defaults.ts'

const limitOfOwn =
  'domain_id:%(target.limit.domain.id)s or domain_id:%(target.limit.project.domain_id)s or project_id:%(target.limit.project_id)s'
/** Narrower than upstream's text, as upstream's own tests ask: a domain's administrator sees no other domain's limits. */
const limitSeenBefore = `${lookedAt.deprecated} or ${limitOfOwn}`
const policyPlaces = ['endpoint', 'service', 'region_and_service']

/** Source: Keystone documentation, "Policy configuration"; its default rules and scope types. */
export const extensionRules: Rules = {
  ...each(['get_policy', 'list_policies', 'get_policy_for_endpoint', 'list_endpoints_for_policy'], lookedAt),
  ...each(['create_policy', 'update_policy', 'delete_policy'], adminOnly),
  ...each(
    policyPlaces.map((place) => `check_policy_association_for_${place}`),
    lookedAt,
  ),
  ...each(
    policyPlaces.flatMap((place) => [
      `create_policy_association_for_${place}`,
      `delete_policy_association_for_${place}`,
    ]),
    adminOnly,
  ),

  ...each(
    [
      'get_endpoint_group',
      'list_endpoint_groups',
      'list_projects_associated_with_endpoint_group',
      'list_endpoints_associated_with_endpoint_group',
      'get_endpoint_group_in_project',
      'list_endpoint_groups_for_project',
      'list_projects_for_endpoint',
      'check_endpoint_in_project',
      'list_endpoints_for_project',
    ],
    lookedAt,
  ),
  ...each(
    [
      'create_endpoint_group',
      'update_endpoint_group',
      'delete_endpoint_group',
      'add_endpoint_group_to_project',
      'remove_endpoint_group_from_project',
      'add_endpoint_to_project',
      'remove_endpoint_from_project',
    ],
    adminOnly,
  ),
  'identity:get_domain_config': lookedAt,
  'identity:get_domain_config_default': lookedAt,
  'identity:get_security_compliance_domain_config': everybody,
  'identity:create_domain_config': adminOnly,
  'identity:update_domain_config': adminOnly,
  'identity:delete_domain_config': adminOnly,

  'identity:get_consumer': lookedAt,
  'identity:list_consumers': lookedAt,
  'identity:create_consumer': adminOnly,
  'identity:update_consumer': adminOnly,
  'identity:delete_consumer': adminOnly,
  ...each(
    [
      'authorize_request_token',
      'get_access_token',
      'get_access_token_role',
      'list_access_tokens',
      'list_access_token_roles',
      'delete_access_token',
    ],
    inProject('rule:admin_required'),
  ),

  ...each(['get_limit_model', 'list_limits', 'get_registered_limit', 'list_registered_limits'], everybody),
  // Narrower than upstream's text, as upstream's own tests ask: a domain's administrator sees no other domain's limits.
  'identity:get_limit': { ...everybody, check: `${systemReader} or ${limitOfOwn}`, deprecated: limitSeenBefore },
  ...each(
    [
      'create_registered_limits',
      'update_registered_limit',
      'delete_registered_limit',
      'create_limits',
      'update_limit',
      'delete_limit',
    ],
    adminOnly,
  ),
}
