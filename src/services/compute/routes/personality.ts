import { Type } from 'typebox'
import { CloudError } from '../../../platform/errors.ts'
import type { GuestFile } from '../db/guest-data.ts'
import { isBase64 } from './common.ts'

export interface PersonalityFile {
  path: string
  contents: string
}

/** Files for a new or rebuilt server, until 2.56. Source: Compute API reference, "Create server", `personality`. */
export const Personality = Type.Array(
  Type.Object({ path: Type.String({ minLength: 1 }), contents: Type.String() }, { additionalProperties: false }),
)

/** @throws CloudError `badRequest` for contents that are not base64, and a path that is none */
export function filesOf(personality: readonly PersonalityFile[]): GuestFile[] {
  return personality.map(({ path, contents }) => {
    if (!isBase64(contents)) throw new CloudError('badRequest', `Personality content for ${path} cannot be decoded`)
    if (path.includes('\0') || path.endsWith('/')) {
      throw new CloudError('badRequest', `Personality path ${JSON.stringify(path)} names no file`)
    }
    return { path, contents: contents.replace(/\s/g, '') }
  })
}
