import type { Rules } from '../../platform/auth/policy.ts'
import { changedBy, each, inProject, lookedAt, personal, readBy } from './policy-defaults.ts'

const self = 'user_id:%(target.user.id)s'
const credentialOwner = 'user_id:%(target.credential.user_id)s'
const credentialSeen = personal(readBy(credentialOwner))
const credentialChanged = personal(changedBy(credentialOwner))

const trustor = 'user_id:%(target.trust.trustor_user_id)s'
const trustee = 'user_id:%(target.trust.trustee_user_id)s'
const trustSeen = personal(readBy(`${trustor} or ${trustee}`))

/**
 * Credentials, and what a user hands on of their rights. Source: Keystone documentation, "Policy configuration"; its
 * default rules and scope types.
 */
export const delegationRules: Rules = {
  ...each(['get_credential', 'list_credentials', 'ec2_get_credential', 'ec2_list_credentials'], credentialSeen),
  ...each(['create_credential', 'update_credential', 'delete_credential'], credentialChanged),
  ...each(['ec2_create_credential', 'ec2_delete_credential'], credentialChanged),
  ...each(['get_application_credential', 'list_application_credentials'], personal(readBy('rule:owner'))),
  'identity:create_application_credential': inProject('rule:owner'),
  'identity:delete_application_credential': personal(changedBy('rule:owner')),
  ...each(['get_access_rule', 'list_access_rules'], personal(readBy(self))),
  'identity:delete_access_rule': personal(changedBy(self)),
  'identity:create_trust': inProject(trustor),
  'identity:list_trusts': lookedAt,
  'identity:list_trusts_for_trustor': personal(readBy(trustor)),
  'identity:list_trusts_for_trustee': personal(readBy(trustee)),
  ...each(['list_roles_for_trust', 'get_role_for_trust', 'get_trust'], trustSeen),
  'identity:delete_trust': personal(changedBy(trustor)),
  'identity:list_revoke_events': { check: 'rule:service_or_admin', scopeTypes: ['system', 'project'] },
  'identity:ec2tokens_validate': 'rule:service_or_admin',
  'identity:s3tokens_validate': 'rule:service_or_admin',
}
