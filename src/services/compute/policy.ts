import type { Rules } from '../../platform/auth/policy.ts'

const admin = 'rule:context_is_admin'
const member = 'rule:project_member_or_admin'
const reader = 'rule:project_reader_or_admin'
const owner = 'rule:context_is_admin or user_id:%(user_id)s'

const under = (prefix: string, rules: Rules): Rules =>
  Object.fromEntries(Object.entries(rules).map(([name, check]) => [`os_compute_api:${prefix}:${name}`, check]))

/** Rule names and defaults of upstream. Source: Compute configuration guide, "Nova Policies". */
export const rules: Rules = {
  context_is_admin: 'role:admin',
  admin_or_owner: 'is_admin:True or project_id:%(project_id)s',
  admin_api: 'is_admin:True',
  project_member_api: 'role:member and project_id:%(project_id)s',
  project_reader_api: 'role:reader and project_id:%(project_id)s',
  project_member_or_admin: 'rule:project_member_api or rule:context_is_admin',
  project_reader_or_admin: 'rule:project_reader_api or rule:context_is_admin',

  ...under('servers', {
    index: reader,
    detail: reader,
    'index:get_all_tenants': admin,
    'detail:get_all_tenants': admin,
    allow_all_filters: admin,
    show: reader,
    'show:flavor-extra-specs': reader,
    'show:host_status': admin,
    'show:host_status:unknown-only': admin,
    create: member,
    'create:forced_host': admin,
    'create:attach_volume': member,
    'create:attach_network': member,
    'create:trusted_certs': member,
    'create:zero_disk_flavor': admin,
    delete: member,
    update: member,
    reboot: member,
    create_image: member,
    start: member,
    stop: member,
  }),
  'compute:servers:create:requested_destination': admin,
  'os_compute_api:os-extended-server-attributes': admin,
  ...under('os-pause-server', { pause: member, unpause: member }),
  ...under('os-lock-server', { lock: member, unlock: member, 'unlock:unlock_override': admin }),
  'os_compute_api:os-console-output': member,
  'os_compute_api:os-server-diagnostics': admin,
  ...under('server-metadata', {
    index: reader,
    show: reader,
    create: member,
    update_all: member,
    update: member,
    delete: member,
  }),
  ...under('os-server-tags', {
    index: reader,
    show: reader,
    update: member,
    update_all: member,
    delete: member,
    delete_all: member,
  }),
  ...under('ips', { index: reader, show: reader }),
  ...under('os-instance-actions', { list: reader, show: reader, events: admin, 'events:details': admin }),

  ...under('os-flavor-manage', { create: admin, update: admin, delete: admin }),
  'os_compute_api:os-flavor-access': admin,
  ...under('os-flavor-access', { add_tenant_access: admin, remove_tenant_access: admin }),
  ...under('os-flavor-extra-specs', { index: reader, show: reader, create: admin, update: admin, delete: admin }),

  ...under('os-keypairs', { index: owner, show: owner, create: owner, delete: owner }),
  ...under('os-hypervisors', {
    list: admin,
    'list-detail': admin,
    statistics: admin,
    show: admin,
    uptime: admin,
    search: admin,
    servers: admin,
  }),
  ...under('os-services', { list: admin, update: admin, delete: admin }),
  ...under('os-availability-zone', { list: '@', detail: admin }),
  'os_compute_api:limits': '@',
  'os_compute_api:limits:other_project': admin,
  'os_compute_api:extensions': '@',
  ...under('os-quota-class-sets', { show: admin, update: admin }),
  ...under('os-aggregates', {
    index: admin,
    show: admin,
    create: admin,
    update: admin,
    delete: admin,
    add_host: admin,
    remove_host: admin,
    set_metadata: admin,
  }),
  ...under('os-security-groups', {
    get: reader,
    show: reader,
    create: member,
    update: member,
    delete: member,
    'rule:create': member,
    'rule:delete': member,
    list: reader,
    add: member,
    remove: member,
  }),
  ...under('os-quota-sets', { show: reader, defaults: '@', update: admin, delete: admin, detail: reader }),
}
