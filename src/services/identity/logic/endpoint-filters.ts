import type { Db } from '../../../platform/db/database.ts'
import * as catalogRows from '../db/catalog.ts'
import * as filterRows from '../db/endpoint-filters.ts'

const all = { filters: [], marker: null, limit: null }

/** What of an endpoint a group may ask for, under the API's names. */
const attributes: Readonly<Record<string, (endpoint: catalogRows.Endpoint) => unknown>> = {
  service_id: (endpoint) => endpoint.serviceId,
  region_id: (endpoint) => endpoint.regionId,
  interface: (endpoint) => endpoint.interface,
}

/** A word of a group's filters that no endpoint has; undefined when there is none. */
export const unknownFilter = (filters: object): string | undefined =>
  Object.keys(filters).find((key) => !Object.hasOwn(attributes, key))

const isOf = (group: filterRows.EndpointGroup) => (endpoint: catalogRows.Endpoint) =>
  Object.entries(group.filters).every(([key, value]) => attributes[key]?.(endpoint) === value)

export async function endpointsOfGroup(db: Db, group: filterRows.EndpointGroup): Promise<catalogRows.Endpoint[]> {
  return (await catalogRows.listEndpoints(db, all)).filter(isOf(group))
}

/**
 * The endpoints given to a project, one by one or by group. None means that nobody chose: its catalog is the whole one.
 * Source: Identity API reference, "OS-EP-FILTER API".
 */
export async function endpointsOfProject(db: Db, projectId: string): Promise<catalogRows.Endpoint[]> {
  const ids = new Set(await filterRows.endpointIdsOf(db, projectId))
  const groups = await filterRows.groupsOf(db, projectId)
  if (ids.size === 0 && groups.length === 0) return []
  const endpoints = await catalogRows.listEndpoints(db, all)
  return endpoints.filter((endpoint) => ids.has(endpoint.id) || groups.some((group) => isOf(group)(endpoint)))
}
