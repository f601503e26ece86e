import type { RuleDefault, Rules } from '../../platform/auth/policy.ts'
import {
  adminOnly,
  changedBy,
  domainManagerOf,
  domainReaderOf,
  each,
  everybody,
  lookedAt,
  readBy,
} from './policy-defaults.ts'

const self = 'user_id:%(target.user.id)s'
const ownProject = 'project_id:%(target.project.id)s'

const projectChanged = changedBy(domainManagerOf('target.project.domain_id'))
const projectSeen = readBy(`${domainReaderOf('target.project.domain_id')} or ${ownProject}`)
const tagsChanged = changedBy(
  `${domainManagerOf('target.project.domain_id')} or (role:admin and ${ownProject})`,
  domainManagerOf('target.project.domain_id'),
)
const groupSeen = readBy(domainReaderOf('target.group.domain_id'))
const groupChanged = changedBy(domainManagerOf('target.group.domain_id'))
const membershipChanged = changedBy(
  '((role:admin or role:manager) and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)',
)
const userSeen = readBy(`${domainReaderOf('target.user.domain_id')} or ${self}`)
const userChanged = changedBy(domainManagerOf('target.user.domain_id'))

/** Actor and target of a grant are both in the domain of a caller with this role. */
const grantBy = (role: string) =>
  `(role:${role} and (domain_id:%(target.user.domain_id)s or domain_id:%(target.group.domain_id)s)` +
  ' and (domain_id:%(target.project.domain_id)s or domain_id:%(target.domain.id)s))'
const roleOfDomain = '(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)'
const grantChanged = changedBy(
  `(${grantBy('admin')} and ${roleOfDomain}) or (${grantBy('manager')} and rule:domain_managed_target_role)`,
)

/** What upstream lets domain managers see besides, where scopes are not enforced. */
const orManager = ({ check, ...rule }: RuleDefault, deprecated: string): RuleDefault => ({
  ...rule,
  check,
  deprecated: `rule:admin_required or (role:reader and system_scope:all) or ${deprecated}`,
})

/** Source: Keystone documentation, "Policy configuration"; its default rules and scope types. */
export const rules: Rules = {
  admin_required: 'role:admin or is_admin:1',
  system_admin: 'role:admin and (system_scope:all or is_admin_project:True)',
  system_reader: 'rule:system_admin or (role:reader and system_scope:all)',
  service_role: 'role:service',
  service_or_admin: 'rule:admin_required or rule:service_role',
  owner: 'user_id:%(user_id)s',
  admin_or_owner: 'rule:admin_required or rule:owner',
  token_subject: 'user_id:%(target.token.user_id)s',
  admin_or_token_subject: 'rule:admin_required or rule:token_subject',
  service_admin_or_token_subject: 'rule:service_or_admin or rule:token_subject',
  domain_managed_target_role:
    "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",

  ...each(['get_auth_catalog', 'get_auth_projects', 'get_auth_domains', 'get_auth_system'], everybody),
  'identity:check_token': readBy('rule:token_subject'),
  'identity:validate_token': readBy('rule:service_role or rule:token_subject'),
  'identity:revoke_token': changedBy('rule:token_subject'),

  'identity:get_domain': readBy('token.domain.id:%(target.domain.id)s or token.project.domain.id:%(target.domain.id)s'),
  'identity:list_domains': orManager(lookedAt, domainReaderOf('target.domain.id')),
  ...each(['create_domain', 'update_domain', 'delete_domain'], adminOnly),

  'identity:get_project': projectSeen,
  'identity:list_projects': readBy(domainReaderOf('target.domain_id')),
  'identity:list_user_projects': userSeen,
  ...each(['create_project', 'update_project', 'delete_project'], projectChanged),
  ...each(['list_project_tags', 'get_project_tag'], projectSeen),
  ...each(['update_project_tags', 'create_project_tag', 'delete_project_tags', 'delete_project_tag'], tagsChanged),

  'identity:get_user': userSeen,
  'identity:list_users': readBy(domainReaderOf('target.domain_id')),
  ...each(['list_projects_for_user', 'list_domains_for_user'], everybody),
  ...each(['create_user', 'update_user', 'delete_user'], userChanged),

  ...each(['get_group', 'list_groups', 'list_users_in_group'], groupSeen),
  'identity:list_groups_for_user': readBy(`${domainReaderOf('target.user.domain_id')} or user_id:%(user_id)s`),
  ...each(['create_group', 'update_group', 'delete_group'], groupChanged),
  'identity:check_user_in_group': readBy(
    '(role:reader and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)',
  ),
  ...each(['add_user_to_group', 'remove_user_from_group'], membershipChanged),

  'identity:get_role': orManager(lookedAt, '(role:manager and rule:domain_managed_target_role)'),
  'identity:list_roles': orManager(lookedAt, '(role:manager and not domain_id:None)'),
  ...each(['create_role', 'update_role', 'delete_role'], adminOnly),
  ...each(['get_domain_role', 'list_domain_roles'], lookedAt),
  ...each(['create_domain_role', 'update_domain_role', 'delete_domain_role'], adminOnly),
  ...each(['get_implied_role', 'list_implied_roles', 'list_role_inference_rules', 'check_implied_role'], lookedAt),
  ...each(['create_implied_role', 'delete_implied_role'], adminOnly),

  'identity:list_role_assignments': readBy(domainReaderOf('target.domain_id')),
  'identity:list_role_assignments_for_tree': readBy(
    `${domainReaderOf('target.domain_id')} or (role:admin and ${ownProject})`,
    domainReaderOf('target.domain_id'),
  ),
  'identity:check_grant': readBy(`(${grantBy('reader')} and ${roleOfDomain})`),
  'identity:list_grants': readBy(grantBy('reader')),
  ...each(['create_grant', 'revoke_grant'], grantChanged),
  ...each(
    ['user', 'group'].flatMap((who) => [`list_system_grants_for_${who}`, `check_system_grant_for_${who}`]),
    lookedAt,
  ),
  ...each(
    ['user', 'group'].flatMap((who) => [`create_system_grant_for_${who}`, `revoke_system_grant_for_${who}`]),
    adminOnly,
  ),

  ...each(['get_service', 'list_services', 'get_endpoint', 'list_endpoints'], lookedAt),
  ...each(['create_service', 'update_service', 'delete_service'], adminOnly),
  ...each(['create_endpoint', 'update_endpoint', 'delete_endpoint'], adminOnly),
  ...each(['get_region', 'list_regions'], everybody),
  ...each(['create_region', 'update_region', 'delete_region'], adminOnly),
}
