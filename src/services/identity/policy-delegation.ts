import type { Rules } from '../../platform/auth/policy.ts'

const admin = 'rule:admin_required'
const adminOrSystemReader = `${admin} or (role:reader and system_scope:all)`
/** Upstream's `scope_types` system and project. */
const notByDomain = (check: string) => `(${check}) and domain_id:None`
/** Upstream's scope type project. */
const inProject = (check: string) => `(${check}) and domain_id:None and system_scope:None`
const self = 'user_id:%(target.user.id)s'
const credentialOwner = 'user_id:%(target.credential.user_id)s'
const credentialSeen = notByDomain(`${adminOrSystemReader} or ${credentialOwner}`)
const credentialChanged = notByDomain(`${admin} or ${credentialOwner}`)

const trustor = 'user_id:%(target.trust.trustor_user_id)s'
const trustee = 'user_id:%(target.trust.trustee_user_id)s'
const trustSeen = notByDomain(`${adminOrSystemReader} or ${trustor} or ${trustee}`)

/**
 * Credentials, and what a user hands on of their rights. Source: Keystone documentation, "Policy configuration"; its
 * default rules and scope types.
 */
export const delegationRules: Rules = {
  'identity:get_credential': credentialSeen,
  'identity:list_credentials': credentialSeen,
  'identity:create_credential': credentialChanged,
  'identity:update_credential': credentialChanged,
  'identity:delete_credential': credentialChanged,
  'identity:ec2_get_credential': credentialSeen,
  'identity:ec2_list_credentials': credentialSeen,
  'identity:ec2_create_credential': credentialChanged,
  'identity:ec2_delete_credential': credentialChanged,
  'identity:get_application_credential': notByDomain(`${adminOrSystemReader} or rule:owner`),
  'identity:list_application_credentials': notByDomain(`${adminOrSystemReader} or rule:owner`),
  'identity:create_application_credential': inProject('rule:owner'),
  'identity:delete_application_credential': notByDomain('rule:admin_or_owner'),
  'identity:get_access_rule': notByDomain(`${adminOrSystemReader} or ${self}`),
  'identity:list_access_rules': notByDomain(`${adminOrSystemReader} or ${self}`),
  'identity:delete_access_rule': notByDomain(`${admin} or ${self}`),
  'identity:create_trust': inProject(trustor),
  'identity:list_trusts': notByDomain(adminOrSystemReader),
  'identity:list_trusts_for_trustor': notByDomain(`${adminOrSystemReader} or ${trustor}`),
  'identity:list_trusts_for_trustee': notByDomain(`${adminOrSystemReader} or ${trustee}`),
  'identity:list_roles_for_trust': trustSeen,
  'identity:get_role_for_trust': trustSeen,
  'identity:get_trust': trustSeen,
  'identity:delete_trust': notByDomain(`${admin} or ${trustor}`),
  'identity:ec2tokens_validate': 'rule:service_or_admin',
  'identity:s3tokens_validate': 'rule:service_or_admin',
}
