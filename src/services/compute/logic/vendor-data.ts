import { readFileSync } from 'node:fs'
import { CloudError, messageOf } from '../../../platform/errors.ts'

/** What the operator tells every server: a JSON file, read once at start. @throws CloudError naming the file */
export function readVendorData(path: string): unknown {
  if (path === '') return {}
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown
  } catch (cause) {
    throw new CloudError('badRequest', `vendorDataFile ${path}: ${messageOf(cause)}`, { cause })
  }
}
