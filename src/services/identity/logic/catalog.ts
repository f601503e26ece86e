import type { Database, Db } from '../../../platform/db/database.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as catalogRows from '../db/catalog.ts'
import { endpointsOfProject } from './endpoint-filters.ts'

const all = { filters: [], marker: null, limit: null }

/**
 * The catalog as a token carries it. An endpoint whose URL wants a project is left out when there is none.
 * Source: Identity API reference, "Service catalog and endpoints".
 */
export async function catalogFor(db: Db, projectId: string | null, userId: string): Promise<object[]> {
  const services = await catalogRows.listServices(db, all)
  const chosen = projectId === null ? [] : await endpointsOfProject(db, projectId)
  const endpoints = (chosen.length > 0 ? chosen : await catalogRows.listEndpoints(db, all)).sort((a, b) =>
    a.interface < b.interface ? -1 : 1,
  )
  const values: Record<string, string | null> = { project_id: projectId, tenant_id: projectId, user_id: userId }
  return services
    .filter((service) => service.enabled)
    .map((service) => ({
      endpoints: endpoints.flatMap((endpoint) => {
        const url = endpoint.serviceId === service.id && endpoint.enabled ? fill(endpoint.url, values) : null
        if (url === null) return []
        const { id, regionId, interface: name } = endpoint
        return [{ id, interface: name, region_id: regionId, url, region: regionId }]
      }),
      id: service.id,
      type: service.type,
      name: service.name ?? '',
    }))
    .filter((service) => chosen.length === 0 || service.endpoints.length > 0) // as upstream: only what was chosen
}

/** `%(project_id)s`, or `$(project_id)s` as older deployments write it. Null when a value is lacking. */
function fill(url: string, values: Readonly<Record<string, string | null>>): string | null {
  let lacking = false
  const text = url.replace(/[%$]\((\w+)\)s/g, (_, name: string) => {
    const value = values[name]
    if (!value) lacking = true
    return value ?? ''
  })
  return lacking ? null : text
}

/** What is wrong with a URL that is to have the caller's project or user filled in; null when nothing is. */
export function urlFault(url: string): string | null {
  const filled = fill(url, { project_id: 'p', tenant_id: 'p', user_id: 'u' })
  if (filled === null) return 'only project_id, tenant_id and user_id can be filled in'
  return /[%$]\(/.test(filled) ? 'a placeholder is written $(project_id)s' : null
}

/** A service of this program, as it registers itself. */
export interface Registration {
  readonly type: string
  readonly name: string
  readonly description?: string
  readonly url: string
  /** Where they differ from `url`. */
  readonly internalUrl?: string
  readonly adminUrl?: string
}

/** Makes the catalog say where a service is, in this region. Repeatable; an address that changed is corrected. */
export async function register(database: Database, regionId: string, wanted: Registration): Promise<void> {
  const urls = {
    public: wanted.url,
    internal: wanted.internalUrl ?? wanted.url,
    admin: wanted.adminUrl ?? wanted.url,
  }
  if (await isRegistered(database.read, regionId, wanted, urls)) return
  await database.write(async (trx) => {
    await catalogRows.insertRegion(trx, { id: regionId, description: '', parentRegionId: null, extra: {} })
    const services = await catalogRows.listServices(trx, all)
    let service = services.find(({ type, name }) => type === wanted.type && name === wanted.name)
    if (!service) {
      const { type, name } = wanted
      service = { id: newHexId(), type, name, description: wanted.description ?? null, enabled: true, extra: {} }
      await catalogRows.insertService(trx, service)
    }
    const serviceId = service.id
    const endpoints = (await catalogRows.listEndpoints(trx, all)).filter(
      (endpoint) => endpoint.serviceId === serviceId && endpoint.regionId === regionId,
    )
    for (const [name, url] of Object.entries(urls)) {
      const endpoint = endpoints.find((each) => each.interface === name)
      if (!endpoint) {
        const added = { id: newHexId(), serviceId, regionId, interface: name, url, enabled: true, extra: {} }
        await catalogRows.insertEndpoint(trx, added)
      } else if (endpoint.url !== url) await catalogRows.updateEndpoint(trx, { ...endpoint, url })
    }
  })
}

/** So that a start writes nothing when nothing changed. */
async function isRegistered(db: Db, regionId: string, wanted: Registration, urls: Record<string, string>) {
  const services = await catalogRows.listServices(db, all)
  const service = services.find(({ type, name }) => type === wanted.type && name === wanted.name)
  const endpoints = await catalogRows.listEndpoints(db, all)
  return Object.entries(urls).every(([name, url]) =>
    endpoints.some(
      (each) =>
        each.serviceId === service?.id && each.regionId === regionId && each.interface === name && each.url === url,
    ),
  )
}
