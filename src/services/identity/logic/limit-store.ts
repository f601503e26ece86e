import type { Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import { newHexId } from '../../../platform/ids.ts'
import type { LimitStore, Limits } from '../../../platform/quota/limits.ts'
import * as catalogRows from '../db/catalog.ts'
import { insertRegistered } from '../db/limits.ts'
import * as projectRows from '../db/projects.ts'
import * as rows from '../db/service-limits.ts'

/**
 * Unified limits as the services' quotas use them. A limit of this region goes before one of no region. A service that
 * changes them by its own API (quota sets) is not bound by Identity's rule that a registered limit stays as it is while
 * projects have limits for it: upstream's services have no such rule.
 */
export function limitStore(regionId: string): LimitStore {
  const set = async (trx: Trx, service: string, projectId: string, limits: Limits, fallbacks: Limits) => {
    const project = await projectRows.find(trx, projectId)
    if (!project || project.isDomain) throw new CloudError('notFound', `Could not find project: ${projectId}.`)
    const known = await rows.of(trx, service, regionId, projectId)
    for (const [resource, amount] of Object.entries(limits)) {
      const registeredId =
        known.findLast((each) => each.resource === resource)?.registeredId ??
        (await register(trx, service, resource, fallbacks[resource] ?? -1))
      await rows.put(trx, { id: newHexId(), registeredId, projectId, amount })
    }
  }
  return {
    async of(db, service, projectId) {
      const everybody: Record<string, number> = {}
      const own: Record<string, number> = {}
      for (const limit of await rows.of(db, service, regionId, projectId)) {
        everybody[limit.resource] = limit.fallback
        if (limit.own !== null) own[limit.resource] = limit.own
      }
      return { everybody, own }
    },
    holders: rows.holders,
    set,
    reset: rows.removeOf,
    async setDefaults(trx, service, limits) {
      const known = await rows.of(trx, service, regionId, '')
      for (const [resource, amount] of Object.entries(limits)) {
        const registered = known.findLast((each) => each.resource === resource)
        if (registered) await rows.setDefault(trx, registered.registeredId, amount)
        else await register(trx, service, resource, amount)
      }
    },
  }
}

async function register(trx: Trx, type: string, resourceName: string, defaultLimit: number): Promise<string> {
  let serviceId = await rows.serviceOf(trx, type)
  if (serviceId === undefined) {
    serviceId = newHexId()
    const service = { id: serviceId, type, name: type, description: null, enabled: true, extra: {} }
    await catalogRows.insertService(trx, service)
  }
  const id = newHexId()
  await insertRegistered(trx, { id, serviceId, regionId: null, resourceName, defaultLimit, description: null })
  return id
}

/** For the migration of a service that kept limits of its own. Those of projects that are gone are left behind. */
export async function importLimits(
  trx: Trx,
  service: string,
  projectId: string,
  limits: Limits,
  fallbacks: Limits,
): Promise<void> {
  const project = await projectRows.find(trx, projectId)
  if (project && !project.isDomain) await limitStore('').set(trx, service, projectId, limits, fallbacks)
}

export const importDefaults = (trx: Trx, service: string, limits: Limits): Promise<void> =>
  limitStore('').setDefaults(trx, service, limits)
