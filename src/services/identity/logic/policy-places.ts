import type { Db } from '../../../platform/db/database.ts'
import * as catalogRows from '../db/catalog.ts'
import * as policyRows from '../db/policies.ts'

const all = { filters: [], marker: null, limit: null }

/** Every endpoint at which a policy was put: by itself, by its service, or by its service in a region and those below. */
export async function endpointsOf(db: Db, policyId: string): Promise<catalogRows.Endpoint[]> {
  const places = await policyRows.placesOf(db, policyId)
  const endpoints = await catalogRows.listEndpoints(db, all)
  const regions = await catalogRows.listRegions(db, all)
  const parents = new Map(regions.map(({ id, parentRegionId }) => [id, parentRegionId]))
  return endpoints.filter((endpoint) =>
    places.some(({ endpointId, serviceId, regionId }) => {
      if (endpointId !== undefined) return endpointId === endpoint.id
      if (serviceId !== endpoint.serviceId) return false
      return regionId === undefined || upwards(parents, endpoint.regionId).includes(regionId)
    }),
  )
}

/** The policy of an endpoint: its own, else that of its service in the nearest region, else its service's. */
export async function policyFor(
  db: Db,
  endpoint: catalogRows.Endpoint,
): Promise<policyRows.PolicyDocument | undefined> {
  const regions = await catalogRows.listRegions(db, all)
  const parents = new Map(regions.map(({ id, parentRegionId }) => [id, parentRegionId]))
  const { serviceId } = endpoint
  const places: policyRows.Place[] = [
    { endpointId: endpoint.id },
    ...upwards(parents, endpoint.regionId).map((regionId) => ({ serviceId, regionId })),
    { serviceId },
  ]
  for (const place of places) {
    const id = await policyRows.policyIdAt(db, place)
    if (id !== undefined) return policyRows.find(db, id)
  }
  return undefined
}

/** A region and those above it; regions form no circle. */
function upwards(parents: ReadonlyMap<string, string | null>, from: string | null): string[] {
  const path: string[] = []
  for (let id = from; id !== null; id = parents.get(id) ?? null) path.push(id)
  return path
}
