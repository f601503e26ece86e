import { missing } from './errors.ts'

/** The one availability zone of networks and routers. */
export const zone = 'nova'

/** The zones that were asked for, as the column has them. @throws CloudError `notFound` for one that there is not */
export function zonesText(hints: readonly string[] = []): string {
  const unknown = hints.find((hint) => hint !== zone)
  if (unknown !== undefined) {
    throw missing('AvailabilityZoneNotFound', `AvailabilityZone ${unknown} could not be found.`)
  }
  return JSON.stringify([...new Set(hints)])
}
