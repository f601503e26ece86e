/** What this service speaks, the newest first; 2.14 and 2.16 belong to the cache. */
const all = [
  { id: 'v2.15', status: 'CURRENT' }, // quotas shown
  { id: 'v2.13', status: 'SUPPORTED', isOfStores: true }, // stores in detail
  { id: 'v2.12', status: 'SUPPORTED' }, // tasks of an image
  { id: 'v2.11', status: 'SUPPORTED', isOfStores: true }, // copy-image
  { id: 'v2.10', status: 'SUPPORTED', isOfStores: true }, // deleting from a store
  { id: 'v2.9', status: 'SUPPORTED' }, // os_hash_algo, os_hash_value
  { id: 'v2.8', status: 'SUPPORTED', isOfStores: true }, // several stores
  { id: 'v2.7', status: 'SUPPORTED' }, // os_hidden
  { id: 'v2.6', status: 'SUPPORTED' },
  { id: 'v2.5', status: 'SUPPORTED' }, // community and shared visibility
  { id: 'v2.4', status: 'SUPPORTED' },
  { id: 'v2.3', status: 'SUPPORTED' }, // deactivate, reactivate
  { id: 'v2.2', status: 'SUPPORTED' },
  { id: 'v2.1', status: 'SUPPORTED' },
  { id: 'v2.0', status: 'SUPPORTED' },
] as const

export const versionsOf = (hasStores: boolean): readonly { id: string; status: string }[] =>
  all.filter((version) => hasStores || !('isOfStores' in version)).map(({ id, status }) => ({ id, status }))
