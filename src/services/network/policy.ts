import type { Rules } from '../../platform/auth/policy.ts'

const admin = 'rule:admin_only'
const member = '(role:member and project_id:%(project_id)s)'
const reader = '(role:reader and project_id:%(project_id)s)'
const netOwner = 'rule:network_owner'
const service = 'rule:context_is_advsvc'
const any = (...checks: string[]): string => checks.join(' or ')
const adminOrMember = any(admin, member)
const adminOrReader = any(admin, reader)

const forAll = (rules: readonly string[], check: string): Rules =>
  Object.fromEntries(rules.map((rule) => [rule, check]))

/** Who may do what. Source: Neutron 21 (Zed), "Policy Reference", the defaults with scopes and roles. */
export const networkPolicy: Rules = {
  context_is_admin: 'role:admin',
  owner: 'tenant_id:%(tenant_id)s',
  admin_or_owner: 'rule:context_is_admin or rule:owner',
  context_is_advsvc: 'role:advsvc',
  network_owner: 'tenant_id:%(network:tenant_id)s',
  admin_or_network_owner: 'rule:context_is_admin or rule:network_owner',
  admin_owner_or_network_owner: 'rule:owner or rule:admin_or_network_owner',
  admin_only: 'rule:context_is_admin',
  regular_user: '',
  shared: 'field:networks:shared=True',
  external: 'field:networks:router:external=True',
  default: 'rule:admin_or_owner',
  shared_subnetpools: 'field:subnetpools:shared=True',
  shared_address_scopes: 'field:address_scopes:shared=True',
  shared_address_groups: 'field:address_groups:shared=True',
  shared_security_group: 'field:security_groups:shared=True',
  shared_qos_policy: 'field:policies:shared=True',
  restrict_wildcard:
    '(not field:rbac_policy:target_tenant=* and not field:rbac_policy:target_project=*) or rule:admin_only',
  network_device: 'field:port:device_owner=~^network:',
  admin_or_sg_owner: 'rule:context_is_admin or tenant_id:%(security_group:tenant_id)s',
  admin_owner_or_sg_owner: 'rule:owner or rule:admin_or_sg_owner',

  create_network: adminOrMember,
  get_network: any(adminOrReader, 'rule:shared', 'rule:external', service),
  update_network: adminOrMember,
  delete_network: adminOrMember,
  ...forAll(
    ['create_network', 'update_network'].flatMap((action) =>
      ['shared', 'router:external', 'is_default', 'segments', ...provider()].map((name) => `${action}:${name}`),
    ),
    admin,
  ),
  ...forAll(
    provider().map((name) => `get_network:${name}`),
    admin,
  ),
  ...forAll(['create_network:port_security_enabled', 'update_network:port_security_enabled'], adminOrMember),

  create_subnet: any(admin, `(role:member and ${netOwner})`),
  get_subnet: any(adminOrReader, 'rule:shared'),
  update_subnet: any(adminOrMember, `(role:member and ${netOwner})`),
  delete_subnet: any(adminOrMember, `(role:member and ${netOwner})`),
  ...forAll(['create_subnet:segment_id', 'update_subnet:segment_id'], admin),

  create_port: adminOrMember,
  get_port: any(adminOrReader, service, netOwner),
  update_port: any(adminOrMember, service),
  delete_port: any(adminOrMember, service, netOwner),
  ...forAll(
    ['create_port', 'update_port'].flatMap((action) => [
      `${action}:fixed_ips:ip_address`,
      `${action}:port_security_enabled`,
    ]),
    any(admin, service, netOwner),
  ),
  ...forAll(
    [
      'create_port:fixed_ips',
      'update_port:fixed_ips',
      'create_port:fixed_ips:subnet_id',
      'update_port:fixed_ips:subnet_id',
    ],
    any(admin, service, netOwner, 'rule:shared'),
  ),
  ...forAll(
    ['create_port:device_owner', 'update_port:device_owner'],
    any('not rule:network_device', admin, service, netOwner),
  ),
  ...forAll(['create_port:allowed_address_pairs', 'update_port:allowed_address_pairs'], any(admin, netOwner)),
  'create_port:mac_address': any(admin, service, netOwner),
  'update_port:mac_address': any(admin, service),
  'create_port:binding:vnic_type': adminOrMember,
  'update_port:binding:vnic_type': any(adminOrMember, service),
  ...forAll(
    ['create_port', 'get_port', 'update_port'].flatMap((action) =>
      ['binding:host_id', 'binding:profile'].map((name) => `${action}:${name}`),
    ),
    admin,
  ),
  ...forAll(['get_port:binding:vif_type', 'get_port:binding:vif_details'], admin),

  create_security_group: adminOrMember,
  get_security_group: any(adminOrReader, 'rule:shared_security_group'),
  update_security_group: adminOrMember,
  delete_security_group: adminOrMember,
  create_security_group_rule: adminOrMember,
  get_security_group_rule: any(adminOrReader, 'tenant_id:%(security_group:tenant_id)s'),
  delete_security_group_rule: adminOrMember,

  ...forAll(
    ['create_router', 'update_router'].flatMap((action) => [
      action,
      `${action}:external_gateway_info`,
      `${action}:external_gateway_info:network_id`,
    ]),
    adminOrMember,
  ),
  ...forAll(
    ['create_router', 'update_router'].flatMap((action) => [
      `${action}:distributed`,
      `${action}:ha`,
      `${action}:external_gateway_info:enable_snat`,
      `${action}:external_gateway_info:external_fixed_ips`,
    ]),
    admin,
  ),
  get_router: adminOrReader,
  ...forAll(['get_router:distributed', 'get_router:ha'], admin),
  ...forAll(
    ['delete_router', 'add_router_interface', 'remove_router_interface', 'add_extraroutes', 'remove_extraroutes'],
    adminOrMember,
  ),
  ...forAll(['create_floatingip', 'update_floatingip', 'delete_floatingip'], adminOrMember),
  'create_floatingip:floating_ip_address': admin,
  get_floatingip: adminOrReader,
  ext_parent_owner: 'tenant_id:%(ext_parent:tenant_id)s',
  ...forAll(
    ['create', 'update', 'delete'].map((action) => `${action}_floatingip_port_forwarding`),
    any(adminOrMember, '(role:member and rule:ext_parent_owner)'),
  ),
  get_floatingip_port_forwarding: any(adminOrReader, '(role:reader and rule:ext_parent_owner)'),
  ...forAll(
    ['get', 'create', 'update', 'delete'].map((action) => `${action}_port_binding`),
    admin,
  ),

  get_policy: any(adminOrReader, 'rule:shared_qos_policy'),
  ...forAll(['create_policy', 'update_policy', 'delete_policy'], admin),
  get_rule_type: 'role:reader',
  // Upstream asks no rule for tags; whoever has the policy may set them.
  'update_policy:tags': adminOrMember,
  ...forAll(
    ['policy', 'alias'].flatMap((way) =>
      ['bandwidth_limit_rule', 'dscp_marking_rule'].flatMap((noun) =>
        ['create', 'update', 'delete'].map((action) => `${action}_${way}_${noun}`),
      ),
    ),
    admin,
  ),
  ...forAll(
    ['policy', 'alias'].flatMap((way) =>
      ['bandwidth_limit_rule', 'dscp_marking_rule'].map((noun) => `get_${way}_${noun}`),
    ),
    any(adminOrReader, 'rule:shared_qos_policy'),
  ),

  ...forAll(['create_rbac_policy', 'update_rbac_policy', 'delete_rbac_policy'], adminOrMember),
  get_rbac_policy: adminOrReader,
  ...forAll(['create_rbac_policy:target_tenant', 'update_rbac_policy:target_tenant'], 'rule:restrict_wildcard'),

  ...forAll(
    ['subnetpool', 'address_scope', 'address_group'].flatMap((noun) => [
      `create_${noun}`,
      `update_${noun}`,
      `delete_${noun}`,
    ]),
    adminOrMember,
  ),
  get_subnetpool: any(adminOrReader, 'rule:shared_subnetpools'),
  get_address_scope: any(adminOrReader, 'rule:shared_address_scopes'),
  get_address_group: any(adminOrReader, 'rule:shared_address_groups'),
  ...forAll(
    [
      ...['create_subnetpool:shared', 'create_subnetpool:is_default', 'update_subnetpool:is_default'],
      ...['create_address_scope:shared', 'update_address_scope:shared'],
    ],
    admin,
  ),
  ...forAll(['onboard_network_subnets', 'add_prefixes', 'remove_prefixes'], adminOrMember),

  ...forAll(
    [
      ...['get_agent', 'update_agent', 'delete_agent', 'get_l3-routers', 'create_l3-router', 'delete_l3-router'],
      ...['get_l3-agents', 'get_network_ip_availability'],
    ],
    admin,
  ),
  ...forAll(
    ['label', 'label_rule'].flatMap((noun) => [`create_metering_${noun}`, `delete_metering_${noun}`]),
    admin,
  ),
  ...forAll(['get_metering_label', 'get_metering_label_rule'], adminOrReader),
  get_availability_zone: any(admin, 'role:reader'),
  get_service_provider: 'role:reader',
  get_auto_allocated_topology: any(admin, reader),
  delete_auto_allocated_topology: any(admin, member),

  get_quota: any(admin, reader),
  update_quota: admin,
  delete_quota: admin,
}

function provider(): string[] {
  return ['network_type', 'physical_network', 'segmentation_id'].map((name) => `provider:${name}`)
}
