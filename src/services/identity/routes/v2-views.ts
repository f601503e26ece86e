import type { Project } from '../db/projects.ts'
import { defaultDomainId } from '../logic/seed.ts'

/** What v2.0 calls a tenant: a project of the default domain. */
export const isTenant = ({ domainId, isDomain, enabled }: Project): boolean =>
  domainId === defaultDomainId && !isDomain && enabled

export const tenantView = ({ id, name, description, enabled }: Project) => ({ id, name, description, enabled })

interface Service {
  readonly type: string
  readonly name: string
  readonly endpoints: readonly { id: string; interface: string; region_id: string | null; url: string }[]
}

/** One entry a region, with a URL for each interface. Source: Identity API reference, v2.0, "Authenticate". */
export function oldCatalog(services: readonly Service[]): object[] {
  return services.flatMap(({ type, name, endpoints }) => {
    const regions = new Map<string | null, Record<string, unknown>>()
    for (const { id, interface: kind, region_id: region, url } of endpoints)
      regions.set(region, { id, region, ...regions.get(region), [`${kind}URL`]: url })
    return regions.size === 0 ? [] : [{ type, name, endpoints: [...regions.values()], endpoints_links: [] }]
  })
}
