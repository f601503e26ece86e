/** What this service speaks, the newest first; those missing belong to several stores and the cache. */
export const versions = [
  { id: 'v2.15', status: 'CURRENT' }, // quotas shown
  { id: 'v2.12', status: 'SUPPORTED' }, // tasks of an image
  { id: 'v2.9', status: 'SUPPORTED' }, // os_hash_algo, os_hash_value
  { id: 'v2.7', status: 'SUPPORTED' }, // os_hidden
  { id: 'v2.6', status: 'SUPPORTED' },
  { id: 'v2.5', status: 'SUPPORTED' }, // community and shared visibility
  { id: 'v2.4', status: 'SUPPORTED' },
  { id: 'v2.3', status: 'SUPPORTED' }, // deactivate, reactivate
  { id: 'v2.2', status: 'SUPPORTED' },
  { id: 'v2.1', status: 'SUPPORTED' },
  { id: 'v2.0', status: 'SUPPORTED' },
] as const
