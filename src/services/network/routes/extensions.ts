import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'

/** Alias, name, what it brings. Only what works: clients and tests decide by this list what to use. */
const extensions = [
  ['address-group', 'Address group', 'Lists of addresses that rules of security groups may name'],
  ['address-scope', 'Address scope', 'Subnet pools whose addresses do not overlap'],
  ['agent', 'agent', 'The parts of the network hosts'],
  ['allowed-address-pairs', 'Allowed Address Pairs', 'Further addresses that a port may send from'],
  ['auto-allocated-topology', 'Auto Allocated Topology Services', 'A network and a router for who has none'],
  ['availability_zone', 'Availability Zone', 'Where networks and routers may be'],
  ['binding', 'Port Binding', 'Which host a port is bound to, and how'],
  ['binding-extended', 'Port Bindings Extended', 'Bindings of a port to further hosts, for the day it moves'],
  ['default-subnetpools', 'Default Subnetpools', 'The pool that is taken when none is named'],
  ['dns-domain-ports', 'dns_domain for ports', 'A domain for a port'],
  ['dns-integration', 'DNS Integration', 'Names for ports'],
  [
    'expose-port-forwarding-in-fip',
    'Expose Floating IP port forwardings',
    'What a floating IP leads to, shown with it',
  ],
  ['ext-gw-mode', 'Neutron L3 Configurable external gateway mode', 'Routers that do not hide what is behind them'],
  ['external-net', 'Neutron external network', 'Networks that lead out of the cloud'],
  ['extra_dhcp_opt', 'Neutron Extra DHCP options', 'DHCP options of a port'],
  ['extraroute', 'Neutron Extra Route', 'Routes of a router beside its own'],
  ['extraroute-atomic', 'Atomically add/remove extra routes', 'Routes of a router, a few at a time'],
  ['filter-validation', 'Filter parameters validation', 'Filters that a resource does not have are refused'],
  ['fip-port-details', 'Add port_details to Floating IP resource', 'What is known of the port an address leads to'],
  ['floating-ip-port-forwarding', 'Floating IP Port Forwarding', 'Single ports of a floating IP, each led elsewhere'],
  ['floating-ip-port-forwarding-description', 'Floating IP Port Forwarding new attribute description', 'A description'],
  ['floating-ip-port-forwarding-detail', 'Floating IP port forwarding detail', 'More of it in the floating IP'],
  ['floating-ip-port-forwarding-port-ranges', 'Floating IP Port Forwarding support port ranges', 'Ranges of ports'],
  ['ip-substring-filtering', 'IP address substring filtering', 'Ports by a piece of their address'],
  ['l3_agent_scheduler', 'L3 Agent Scheduler', 'Which host carries a router'],
  ['metering', 'Neutron Metering', 'Traffic between routers and the outside, counted by labels'],
  ['metering_source_and_destination_fields', 'Neutron Metering with source and destination filtering', 'Both ends'],
  ['net-mtu', 'Network MTU', 'The MTU of a network'],
  ['net-mtu-writable', 'Network MTU (writable)', 'The MTU of a network may be chosen'],
  ['network-ip-availability', 'Network IP Availability', 'How many addresses a network has, and has given away'],
  ['network_availability_zone', 'Network Availability Zone', 'Where a network may be'],
  ['pagination', 'Pagination support', 'limit, marker and page_reverse on every list'],
  ['port-mac-address-regenerate', 'Neutron Port MAC address regenerate', 'A new MAC address for a port'],
  ['port-security', 'Port Security', 'Switches the filtering of a port or network off and on'],
  ['port-security-groups-filtering', 'Port filtering on security groups', 'Ports by their security groups'],
  ['project-id', 'project_id field enabled', 'project_id beside tenant_id'],
  ['provider', 'Provider Network', 'How a network is realised'],
  ['qos', 'Quality of Service', 'Rates and marks for the traffic of ports'],
  ['qos-bw-limit-direction', 'Direction for QoS bandwidth limit rule', 'Rates to a port, and from it'],
  ['qos-default', 'QoS default policy', 'The policy of new networks of a project'],
  ['qos-port-network-policy', 'QoS port network policy ID', "The policy of a port's network, shown with the port"],
  ['qos-rule-type-details', 'Details of QoS rule types', 'What may be said in a rule'],
  ['qos-rule-type-filter', 'Allow to filter the list of QoS rule types', 'All types of rules, or those supported'],
  ['qos-rules-alias', 'Quality of Service rules alias API', 'Rules without the id of their policy'],
  ['quota-check-limit', 'Quota engine limit check', 'A limit below what is in use is refused when asked to'],
  ['quota_details', 'Quota details management support', 'What a project has of each limited resource'],
  ['quotas', 'Quota management support', 'Limits per project'],
  ['rbac-address-group', 'Add address_group type to RBAC', 'Address groups for some other projects'],
  ['rbac-address-scope', 'Add address_scope type to RBAC', 'Address scopes for some other projects'],
  ['rbac-policies', 'RBAC Policies', 'Networks for some other projects'],
  ['rbac-security-groups', 'Add security_group type to network RBAC', 'Security groups for some other projects'],
  ['rbac-subnetpool', 'Add subnetpool type to RBAC', 'Subnet pools for some other projects'],
  ['revision-if-match', 'If-Match constraints based on revision_number', 'Changes of what nobody else has changed'],
  ['router', 'Neutron L3 Router', 'Routers between networks, and addresses outside that lead in'],
  ['router_availability_zone', 'Router Availability Zone', 'Where a router may be'],
  ['security-group', 'security-group', 'Rules for what reaches a port, and what leaves it'],
  ['security-groups-normalized-cidr', 'Normalized CIDR field for security group rules', 'The network of a prefix'],
  ['security-groups-remote-address-group', 'Remote address group id field for security group rules', 'Rules by lists'],
  ['security-groups-shared-filtering', 'Security group filtering on the shared field', 'Groups by who may use them'],
  ['service-type', 'Neutron Service Type Management', 'Who provides which service'],
  ['sort-key-validation', 'Sort key validation', 'Keys that a resource can not be sorted by are refused'],
  ['sorting', 'Sorting support', 'sort_key and sort_dir on every list'],
  ['standard-attr-description', 'standard-attr-description', 'A description for every resource'],
  ['standard-attr-revisions', 'Resource revision numbers', 'A number that grows with every change'],
  ['standard-attr-tag', 'Tag support for resources with standard attribute', 'Words of your own on a resource'],
  ['standard-attr-timestamp', 'Resource timestamps', 'When a resource was made and last changed'],
  ['stateful-security-group', 'Stateful security group', 'Groups that do not follow connections'],
  ['subnet-service-types', 'Subnet service types', 'Subnets for ports of some kinds'],
  ['subnet_allocation', 'Subnet Allocation', 'Subnets out of subnet pools'],
  ['subnet_onboard', 'Subnet Onboard', 'Subnets that there are already, put into a subnet pool'],
  ['subnetpool-prefix-ops', 'Subnet Pool Prefix Operations', 'Prefixes of a subnet pool, a few at a time'],
  ['tag-ports-during-bulk-creation', 'Tag Ports During Bulk Creation', 'Ports with tags from the start'],
] as const

const views = extensions.map(([alias, name, description]) => ({
  alias,
  name,
  description,
  updated: '2026-11-01T00:00:00-00:00',
  links: [],
}))

/** Source: Network API reference, "Extensions". */
export function extensionRoutes(app: App): void {
  app.get('/v2.0/extensions', { config: { policy: 'authenticated' } }, async () => ({ extensions: views }))

  app.get('/v2.0/extensions/:alias', { config: { policy: 'authenticated' } }, async (request) => {
    const { alias } = request.params as { alias: string }
    const extension = views.find((view) => view.alias === alias)
    if (!extension) {
      throw new CloudError('notFound', `Extension with alias ${alias} does not exist`, { type: 'HTTPNotFound' })
    }
    return { extension }
  })
}
