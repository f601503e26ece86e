import type { MicroversionRange } from '../../platform/http/microversions.ts'

/**
 * What is announced. For the resources that exist here, every microversion up to the last means what upstream's history
 * says; those in between that are about resources not here yet change nothing.
 * Source: Compute API guide, "REST API Version History".
 */
export const versions: MicroversionRange = {
  service: 'compute',
  legacyHeader: 'X-OpenStack-Nova-API-Version',
  min: '2.1',
  max: '2.93',
}
