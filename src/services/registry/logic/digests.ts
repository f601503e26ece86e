import { createHash } from 'node:crypto'
import { refusals } from './refusals.ts'

export const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/

/** @throws CloudError DIGEST_INVALID, also for an algorithm that the specification does not name. */
export function checkedDigest(digest: string): string {
  if (!digestPattern.test(digest)) throw refusals.digestInvalid(digest.slice(0, 200))
  return digest
}

export const algorithmOf = (digest: string): 'sha256' | 'sha512' => (digest.startsWith('sha512:') ? 'sha512' : 'sha256')

export const digestOf = (algorithm: 'sha256' | 'sha512', bytes: Buffer): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`
