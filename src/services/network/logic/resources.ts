import {
  flagColumn,
  integerColumn,
  ownerAttributes,
  type Resource,
  standardAttributes,
  textColumn,
} from './attributes.ts'
import { extraDhcpOptions } from './extra-dhcp-options.ts'
import { dnsDomain, dnsName } from './port-names.ts'
import * as rule from './rule-values.ts'
import { tagText } from './tags.ts'
import * as is from './values.ts'

const name = { post: true, put: true, default: '', parse: is.text(255), column: textColumn('name') }
const description = { post: true, put: true, default: '', parse: is.text(255), column: textColumn('description') }
const id = { column: textColumn('id') }
const upByDefault = { post: true, put: true, default: true, parse: is.boolean, column: flagColumn('admin_state_up') }

/** Source: Network API reference, "Networks". */
export const network: Resource = {
  singular: 'network',
  plural: 'networks',
  attributes: {
    id,
    name,
    ...ownerAttributes,
    admin_state_up: upByDefault,
    // Bounds of what an order can carry; 0 asks for the cloud's own.
    mtu: { post: true, put: true, parse: is.integer(0, 65_535), column: integerColumn('mtu') },
    status: {},
    subnets: {},
    shared: { post: true, put: true, default: false, parse: is.boolean, filter: true },
    is_default: { post: true, put: true, default: false, parse: is.boolean, column: flagColumn('is_default') },
    availability_zone_hints: { post: true, default: [], parse: is.list(is.text(255), 'availability zone') },
    availability_zones: {},
    ipv4_address_scope: {},
    ipv6_address_scope: {},
    'router:external': { post: true, put: true, default: false, parse: is.boolean, column: flagColumn('external') },
    description,
    port_security_enabled: {
      post: true,
      put: true,
      default: true,
      parse: is.boolean,
      column: flagColumn('port_security_enabled'),
    },
    tags: {},
    ...standardAttributes,
    dns_domain: { post: true, put: true, default: '', parse: dnsDomain, column: textColumn('dns_domain') },
    qos_policy_id: {
      post: true,
      put: true,
      default: null,
      parse: is.orNull(is.uuid),
      column: textColumn('qos_policy_id'),
    },
    'provider:network_type': { post: true, parse: is.text(255), column: textColumn('network_type') },
    'provider:physical_network': {
      post: true,
      parse: is.orNull(is.text(255)),
      column: textColumn('physical_network'),
    },
    'provider:segmentation_id': {
      post: true,
      parse: is.orNull(is.integer(1, 2 ** 24 - 1)),
      column: integerColumn('segmentation_id'),
    },
  },
}

const pool = is.record<{ start: string; end: string }>('pool', { start: is.ipAddress, end: is.ipAddress }, [
  'start',
  'end',
])
const route = is.record<{ destination: string; nexthop: string }>(
  'route',
  { destination: is.cidr, nexthop: is.ipAddress },
  ['destination', 'nexthop'],
)
const ipVersion: is.Parse<4 | 6> = (value) => is.oneOf<4 | 6>(4, 6)(is.integer(0, 255)(value) as 4 | 6)
const ipv6Mode = {
  post: true,
  default: null,
  parse: is.orNull(is.oneOf('dhcpv6-stateful', 'dhcpv6-stateless', 'slaac')),
}

/** Beginnings of device owners. Source: Network API reference, "Subnet service types". */
const serviceTypes: is.Parse<string[]> = (value) =>
  is
    .distinct(
      is.list(is.text(255), 'service type'),
      (type) => type,
      'Duplicate service type',
    )(value)
    .map((type) => {
      if (type.trim() !== '') return type
      throw new is.Reason(`Service type '${type}' is empty`)
    })

/** Source: Network API reference, "Subnets". */
export const subnet: Resource = {
  singular: 'subnet',
  plural: 'subnets',
  attributes: {
    id,
    name,
    ...ownerAttributes,
    network_id: { post: true, required: true, parse: is.uuid, column: textColumn('network_id') },
    ip_version: { post: true, required: true, parse: ipVersion, column: integerColumn('ip_version') },
    subnetpool_id: { post: true, default: null, parse: is.orNull(is.uuid), column: textColumn('subnetpool_id') },
    use_default_subnetpool: { post: true, default: false, parse: is.boolean },
    prefixlen: { post: true, parse: is.integer(0, 128) },
    enable_dhcp: { post: true, put: true, default: true, parse: is.boolean, column: flagColumn('enable_dhcp') },
    ipv6_ra_mode: { ...ipv6Mode, column: textColumn('ipv6_ra_mode') },
    ipv6_address_mode: { ...ipv6Mode, column: textColumn('ipv6_address_mode') },
    gateway_ip: { post: true, put: true, parse: is.orNull(is.ipAddress), column: textColumn('gateway_ip') },
    cidr: { post: true, parse: is.cidr, column: textColumn('cidr') },
    allocation_pools: { post: true, put: true, parse: is.list(pool, 'IP pool') },
    host_routes: {
      post: true,
      put: true,
      default: [],
      parse: is.nullAsEmpty(
        is.distinct(is.list(route, 'hostroute'), (r) => `${r.destination} via ${r.nexthop}`, 'Duplicate hostroute'),
      ),
    },
    dns_nameservers: {
      post: true,
      put: true,
      default: [],
      parse: is.nullAsEmpty(is.distinct(is.list(is.ipAddress, 'nameserver'), (host) => host, 'Duplicate nameserver')),
    },
    description,
    service_types: { post: true, put: true, default: [], parse: serviceTypes },
    dns_publish_fixed_ip: {
      post: true,
      put: true,
      default: false,
      parse: is.boolean,
      column: flagColumn('dns_publish_fixed_ip'),
    },
    shared: { filter: true },
    tags: {},
    ...standardAttributes,
  },
}

const fixedIp = is.record<{ subnet_id?: string; ip_address?: string }>(
  'fixed IP',
  { subnet_id: is.uuid, ip_address: is.ipAddress },
  [],
)
const addressOrCidr: is.Parse<string> = (value) =>
  typeof value === 'string' && value.includes('/') ? is.cidr(value) : is.ipAddress(value)

const addressPair = is.record<{ ip_address: string; mac_address?: string }>(
  'allowed address pair',
  { ip_address: addressOrCidr, mac_address: is.macAddress },
  ['ip_address'],
)
export const portProfile: is.Parse<Record<string, unknown>> = (value) => {
  if (value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new is.Reason(`'${is.shown(value)}' is not a dictionary`)
  }
  return value as Record<string, unknown>
}

/** Source: Network API reference, "Ports". */
export const port: Resource = {
  singular: 'port',
  plural: 'ports',
  attributes: {
    id,
    name,
    network_id: { post: true, required: true, parse: is.uuid, column: textColumn('network_id') },
    ...ownerAttributes,
    // null, in an update, asks for a new one.
    mac_address: { post: true, put: true, parse: is.orNull(is.macAddress), column: textColumn('mac_address') },
    admin_state_up: upByDefault,
    status: { column: textColumn('status') },
    device_id: { post: true, put: true, default: '', parse: is.text(255), column: textColumn('device_id') },
    device_owner: { post: true, put: true, default: '', parse: is.text(255), column: textColumn('device_owner') },
    fixed_ips: {
      post: true,
      put: true,
      filter: true,
      parse: is.distinct(
        is.nullAsEmpty(is.list(fixedIp, 'fixed IP')),
        (wish) => wish.ip_address ?? null,
        'Duplicate IP address',
      ),
    },
    allowed_address_pairs: {
      post: true,
      put: true,
      default: [],
      parse: is.nullAsEmpty(is.list(addressPair, 'allowed address pairs')),
    },
    extra_dhcp_opts: { post: true, put: true, default: [], parse: extraDhcpOptions },
    dns_name: { post: true, put: true, default: '', parse: dnsName, column: textColumn('dns_name') },
    dns_domain: { post: true, put: true, default: '', parse: dnsDomain, column: textColumn('dns_domain') },
    dns_assignment: {},
    qos_policy_id: {
      post: true,
      put: true,
      default: null,
      parse: is.orNull(is.uuid),
      column: textColumn('qos_policy_id'),
    },
    qos_network_policy_id: {},
    security_groups: {
      post: true,
      put: true,
      filter: true,
      parse: is.distinct(
        is.nullAsEmpty(is.list(is.uuid, 'security group')),
        (group) => group,
        'Duplicate items in the list:',
      ),
    },
    description,
    'binding:vnic_type': {
      post: true,
      put: true,
      default: 'normal',
      parse: is.oneOf('normal'),
      column: textColumn('vnic_type'),
    },
    'binding:profile': { post: true, put: true, default: null, parse: portProfile },
    'binding:host_id': { post: true, put: true, parse: is.orNull(is.text(255)), column: textColumn('host') },
    'binding:vif_type': {},
    'binding:vif_details': {},
    port_security_enabled: {
      post: true,
      put: true,
      parse: is.boolean,
      column: flagColumn('port_security_enabled'),
    },
    tags: { post: true, default: [], parse: is.list(tagText, 'tag') },
    ...standardAttributes,
  },
}

/** Source: Network API reference, "Security groups". */
export const securityGroup: Resource = {
  singular: 'security_group',
  plural: 'security_groups',
  attributes: {
    id,
    name,
    stateful: { post: true, put: true, default: true, parse: is.boolean, column: flagColumn('stateful') },
    ...ownerAttributes,
    description,
    security_group_rules: {},
    shared: { filter: true },
    tags: {},
    ...standardAttributes,
  },
}

/** Source: Network API reference, "Security group rules". What may stand in a rule: `rule-values.ts`. */
export const securityGroupRule: Resource = {
  singular: 'security_group_rule',
  plural: 'security_group_rules',
  attributes: {
    id,
    ...ownerAttributes,
    // Looked up rather than checked: what is no id is a group that does not exist, 404.
    security_group_id: { post: true, required: true, parse: is.text(255), column: textColumn('group_id') },
    ethertype: { post: true, default: 'IPv4', parse: rule.ethertype, column: textColumn('ethertype') },
    direction: {
      post: true,
      required: true,
      parse: is.oneOf('ingress', 'egress'),
      column: textColumn('direction'),
    },
    protocol: { post: true, default: null, parse: rule.protocol, column: textColumn('protocol') },
    port_range_min: {
      post: true,
      default: null,
      parse: rule.portValue,
      column: integerColumn('port_range_min'),
    },
    port_range_max: {
      post: true,
      default: null,
      parse: rule.portValue,
      column: integerColumn('port_range_max'),
    },
    remote_ip_prefix: {
      post: true,
      default: null,
      parse: rule.prefix,
      column: textColumn('remote_ip_prefix'),
    },
    remote_group_id: {
      post: true,
      default: null,
      parse: is.orNull(is.text(255)),
      column: textColumn('remote_group_id'),
    },
    remote_address_group_id: {
      post: true,
      default: null,
      parse: is.orNull(is.text(255)),
      column: textColumn('remote_address_group_id'),
    },
    normalized_cidr: {},
    description: { post: true, default: '', parse: is.text(255), column: textColumn('description') },
    ...standardAttributes,
  },
}
