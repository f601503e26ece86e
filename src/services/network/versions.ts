/** API versions, one line each. Source: Network API reference, "API versions". */
export const versions = [{ id: 'v2.0', status: 'CURRENT' }] as const

/** What v2.0 serves: collection, and the word for one of it. */
export const resources = [
  ['networks', 'network'],
  ['subnets', 'subnet'],
  ['ports', 'port'],
  ['routers', 'router'],
  ['floatingips', 'floatingip'],
  ['security-groups', 'security-group'],
  ['security-group-rules', 'security-group-rule'],
  ['rbac-policies', 'rbac-policy'],
  ['subnetpools', 'subnetpool'],
  ['address-scopes', 'address-scope'],
  ['address-groups', 'address-group'],
  ['agents', 'agent'],
  ['availability_zones', 'availability_zone'],
  ['network-ip-availabilities', 'network-ip-availability'],
  ['service-providers', 'service-provider'],
  ['quotas', 'quota'],
  ['extensions', 'extension'],
] as const
