import { CloudError } from '../../../platform/errors.ts'
import type { GuestFile } from '../db/guest-data.ts'
import type { Limits } from './quotas.ts'

/** Source: Compute API guide, "Server personality". @throws CloudError `overQuota`; -1 is no limit */
export function checkFiles(limits: Limits, files: readonly GuestFile[]): void {
  const above = (value: number, limit: number) => limit >= 0 && value > limit
  if (above(files.length, limits.injected_files)) {
    throw new CloudError('overQuota', 'Personality file limit exceeded')
  }
  for (const { path, contents } of files) {
    if (above(path.length, limits.injected_file_path_bytes)) {
      const text = `Personality file path exceeds maximum ${limits.injected_file_path_bytes}`
      throw new CloudError('overQuota', text)
    }
    if (above(Buffer.from(contents, 'base64').length, limits.injected_file_content_bytes)) {
      const text = `Personality file content exceeds maximum ${limits.injected_file_content_bytes}`
      throw new CloudError('overQuota', text)
    }
  }
}
