import type { HostRoom } from '../../placement/index.ts'
import type { ServerFlavor } from '../db/servers.ts'
import type { Wanted } from './filters.ts'

/**
 * What one server of a flavor holds of its host; an extra spec `resources:CLASS` says otherwise, or more.
 * Source: Compute admin guide, "Flavors", "Custom resource classes and standard resource classes to override".
 */
export function resourcesOf(flavor: ServerFlavor): Map<string, number> {
  const resources = new Map([
    ['VCPU', flavor.vcpus],
    ['MEMORY_MB', flavor.memoryMiB],
    ['DISK_GB', flavor.diskGiB + flavor.ephemeralGiB + Math.ceil(flavor.swapMiB / 1024)],
  ])
  for (const [key, value] of Object.entries(flavor.extraSpecs)) {
    const name = /^resources:([A-Z0-9_]+)$/.exec(key)?.[1]
    if (name !== undefined) resources.set(name, Number(value))
  }
  return resources
}

/**
 * Why a host's traits will not do: flavors say `trait:NAME` is required or forbidden, images that it is required. Null when
 * neither says anything.
 */
export function traitRefusal({ flavor, image }: Wanted): ((room: HostRoom) => string | null) | null {
  const wanted = [...Object.entries(flavor.extraSpecs), ...Object.entries(image.properties)].flatMap(([key, value]) => {
    const name = /^trait:([A-Z0-9_]+)$/.exec(key)?.[1]
    return name === undefined ? [] : [{ name, required: value !== 'forbidden' }]
  })
  if (wanted.length === 0) return null
  return ({ traits }) => {
    const wrong = wanted.find(({ name, required }) => traits.has(name) !== required)
    return wrong ? `trait ${wrong.name} is ${wrong.required ? 'required' : 'forbidden'}` : null
  }
}
