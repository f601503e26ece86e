import { randomBytes, randomUUID } from 'node:crypto'

/** A random (version 4) UUID with dashes, as Nova, Neutron and Glance use. */
export const newId = (): string => randomUUID()

/** A random UUID of 32 hex digits, as Keystone uses. */
export const newHexId = (): string => randomUUID().replaceAll('-', '')

/** A secret of `bytes` random bytes, safe in URLs and shells. */
export const newSecret = (bytes = 18): string => randomBytes(bytes).toString('base64url')

/** Adds the dashes back when a client sent a UUID as 32 hex digits; anything else comes back unchanged. */
export function dashed(id: string): string {
  return /^[0-9a-f]{32}$/i.test(id)
    ? `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`.toLowerCase()
    : id
}
