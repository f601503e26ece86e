import type { Rules } from '../../platform/auth/policy.ts'

const admin = 'rule:admin_required'
const systemReader = '(role:reader and system_scope:all)'
const adminOrSystemReader = `${admin} or ${systemReader}`

/** Upstream's `scope_types` system and project: a token scoped to a domain will not do. */
const notByDomain = (check: string) => `(${check}) and domain_id:None`
const adminOnly = notByDomain(admin)
const lookedAt = notByDomain(adminOrSystemReader)

const domainReaderOf = (attribute: string) => `(role:reader and domain_id:%(${attribute})s)`
const domainManagerOf = (attribute: string) => `(role:manager and domain_id:%(${attribute})s)`

const projectSeen = `${adminOrSystemReader} or ${domainReaderOf('target.project.domain_id')} or project_id:%(target.project.id)s`
const projectChanged = `${admin} or ${domainManagerOf('target.project.domain_id')}`
const groupSeen = `${adminOrSystemReader} or ${domainReaderOf('target.group.domain_id')}`
const groupChanged = `${admin} or ${domainManagerOf('target.group.domain_id')}`
const membershipChanged = `${admin} or (role:manager and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)`
const userChanged = `${admin} or ${domainManagerOf('target.user.domain_id')}`

/** Actor and target of a grant are both in the domain of a caller with this role. */
const grantBy = (role: string) =>
  `(role:${role} and (domain_id:%(target.user.domain_id)s or domain_id:%(target.group.domain_id)s)` +
  ' and (domain_id:%(target.project.domain_id)s or domain_id:%(target.domain.id)s))'
const roleOfDomain = '(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)'
const grantChanged =
  `${admin} or (${grantBy('admin')} and ${roleOfDomain})` +
  ` or (${grantBy('manager')} and rule:domain_managed_target_role)`

/** Source: Keystone documentation, "Policy configuration"; its default rules and scope types. */
export const rules: Rules = {
  admin_required: 'role:admin or is_admin:1',
  service_role: 'role:service',
  service_or_admin: 'rule:admin_required or rule:service_role',
  owner: 'user_id:%(user_id)s',
  admin_or_owner: 'rule:admin_required or rule:owner',
  token_subject: 'user_id:%(target.token.user_id)s',
  admin_or_token_subject: 'rule:admin_required or rule:token_subject',
  service_admin_or_token_subject: 'rule:service_or_admin or rule:token_subject',
  domain_managed_target_role:
    "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",

  'identity:get_auth_catalog': '',
  'identity:get_auth_projects': '',
  'identity:get_auth_domains': '',
  'identity:get_auth_system': '',
  'identity:check_token': `${adminOrSystemReader} or rule:token_subject`,
  'identity:validate_token': `${adminOrSystemReader} or rule:service_role or rule:token_subject`,
  'identity:revoke_token': `${admin} or rule:token_subject`,

  'identity:get_domain': `${adminOrSystemReader} or token.domain.id:%(target.domain.id)s or token.project.domain.id:%(target.domain.id)s`,
  'identity:list_domains': `${adminOrSystemReader} or ${domainReaderOf('target.domain.id')}`,
  'identity:create_domain': adminOnly,
  'identity:update_domain': adminOnly,
  'identity:delete_domain': adminOnly,

  'identity:get_project': projectSeen,
  'identity:list_projects': `${adminOrSystemReader} or ${domainReaderOf('target.domain_id')}`,
  'identity:list_user_projects': `${adminOrSystemReader} or ${domainReaderOf('target.user.domain_id')} or user_id:%(target.user.id)s`,
  'identity:create_project': projectChanged,
  'identity:update_project': projectChanged,
  'identity:delete_project': projectChanged,
  'identity:list_project_tags': projectSeen,
  'identity:get_project_tag': projectSeen,
  'identity:update_project_tags': projectChanged,
  'identity:create_project_tag': projectChanged,
  'identity:delete_project_tags': projectChanged,
  'identity:delete_project_tag': projectChanged,

  'identity:get_user': `${adminOrSystemReader} or ${domainReaderOf('target.user.domain_id')} or user_id:%(target.user.id)s`,
  'identity:list_users': `${adminOrSystemReader} or ${domainReaderOf('target.domain_id')}`,
  'identity:list_projects_for_user': '',
  'identity:list_domains_for_user': '',
  'identity:create_user': userChanged,
  'identity:update_user': userChanged,
  'identity:delete_user': userChanged,

  'identity:get_group': groupSeen,
  'identity:list_groups': groupSeen,
  'identity:list_groups_for_user': `${adminOrSystemReader} or ${domainReaderOf('target.user.domain_id')} or user_id:%(user_id)s`,
  'identity:create_group': groupChanged,
  'identity:update_group': groupChanged,
  'identity:delete_group': groupChanged,
  'identity:list_users_in_group': groupSeen,
  'identity:check_user_in_group': `${adminOrSystemReader} or (role:reader and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)`,
  'identity:add_user_to_group': membershipChanged,
  'identity:remove_user_from_group': membershipChanged,

  'identity:get_role': `${adminOrSystemReader} or (role:manager and rule:domain_managed_target_role)`,
  'identity:list_roles': `${adminOrSystemReader} or (role:manager and not domain_id:None)`,
  'identity:create_role': adminOnly,
  'identity:update_role': adminOnly,
  'identity:delete_role': adminOnly,
  'identity:get_domain_role': lookedAt,
  'identity:list_domain_roles': lookedAt,
  'identity:create_domain_role': adminOnly,
  'identity:update_domain_role': adminOnly,
  'identity:delete_domain_role': adminOnly,
  'identity:get_implied_role': lookedAt,
  'identity:list_implied_roles': lookedAt,
  'identity:create_implied_role': adminOnly,
  'identity:delete_implied_role': adminOnly,
  'identity:list_role_inference_rules': lookedAt,
  'identity:check_implied_role': lookedAt,

  'identity:list_role_assignments': `${adminOrSystemReader} or ${domainReaderOf('target.domain_id')}`,
  'identity:list_role_assignments_for_tree': `${adminOrSystemReader} or ${domainReaderOf('target.domain_id')}`,
  'identity:check_grant': `${adminOrSystemReader} or (${grantBy('reader')} and ${roleOfDomain})`,
  'identity:list_grants': `${adminOrSystemReader} or ${grantBy('reader')}`,
  'identity:create_grant': grantChanged,
  'identity:revoke_grant': grantChanged,
  'identity:list_system_grants_for_user': lookedAt,
  'identity:check_system_grant_for_user': lookedAt,
  'identity:create_system_grant_for_user': adminOnly,
  'identity:revoke_system_grant_for_user': adminOnly,
  'identity:list_system_grants_for_group': lookedAt,
  'identity:check_system_grant_for_group': lookedAt,
  'identity:create_system_grant_for_group': adminOnly,
  'identity:revoke_system_grant_for_group': adminOnly,

  'identity:get_service': lookedAt,
  'identity:list_services': lookedAt,
  'identity:create_service': adminOnly,
  'identity:update_service': adminOnly,
  'identity:delete_service': adminOnly,
  'identity:get_endpoint': lookedAt,
  'identity:list_endpoints': lookedAt,
  'identity:create_endpoint': adminOnly,
  'identity:update_endpoint': adminOnly,
  'identity:delete_endpoint': adminOnly,
  'identity:get_region': '',
  'identity:list_regions': '',
  'identity:create_region': adminOnly,
  'identity:update_region': adminOnly,
  'identity:delete_region': adminOnly,
}
