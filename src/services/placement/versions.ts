import type { MicroversionRange } from '../../platform/http/microversions.ts'

/** Source: Placement API reference, "REST API Version History". */
export const versions: MicroversionRange = { service: 'placement', min: '1.0', max: '1.39' }
