import { badRequest } from './refusals.ts'

/**
 * A moment that a client set for an end, as ISO 8601 with microseconds; without a zone it is UTC.
 * @throws CloudError kind `badRequest` when it is no time, or past.
 */
export function futureOf(text: string, nowMs: number): string {
  const zoned = /(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(zoned) : Number.NaN
  if (Number.isNaN(ms)) throw badRequest(`Timestamp not in expected format: ${text}. The server could not comply.`)
  if (ms <= nowMs) throw badRequest('Provided expiration is in the past. The expiration time must be in the future.')
  const micros = /\.\d{3}(\d{0,3})/.exec(text)?.[1] ?? ''
  return `${new Date(ms).toISOString().slice(0, -1)}${micros.padEnd(3, '0')}Z`
}
