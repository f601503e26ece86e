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
  ['quotas', 'quota'],
  ['extensions', 'extension'],
] as const
