import { CloudError } from '../errors.ts'

/** A microversion as one comparable number: 2.47 is 2047. */
export type Microversion = number

/** '2.47' → 2047. */
export function microversion(text: string): Microversion {
  const [major, minor] = text.split('.')
  return Number(major) * 1000 + Number(minor)
}

export const microversionText = (v: Microversion): string => `${Math.floor(v / 1000)}.${v % 1000}`

export interface MicroversionRange {
  /** The word in `OpenStack-API-Version: compute 2.47`. */
  service: string
  /** The header of before 2.27, e.g. `X-OpenStack-Nova-API-Version`. */
  legacyHeader?: string
  min: string
  max: string
}

type Headers = Record<string, string | string[] | undefined>

/**
 * The microversion a request asks for; the minimum when it asks for none, the maximum for `latest`.
 * Source: API special interest group, "Microversion Specification".
 * @throws CloudError `badRequest` for a malformed one, `notAcceptable` for one out of range.
 */
export function negotiate(headers: Headers, range: MicroversionRange): Microversion {
  const asked = askedFor(headers, range)
  if (asked === undefined) return microversion(range.min)
  if (asked === 'latest') return microversion(range.max)
  if (!/^[1-9]\d*\.(0|[1-9]\d*)$/.test(asked)) {
    throw new CloudError(
      'badRequest',
      `API Version String ${asked} is of invalid format. Must be of format MajorNum.MinorNum.`,
    )
  }
  const v = microversion(asked)
  if (v < microversion(range.min) || v > microversion(range.max)) {
    throw new CloudError(
      'notAcceptable',
      `Version ${asked} is not supported by the API. Minimum is ${range.min} and maximum is ${range.max}.`,
    )
  }
  return v
}

function askedFor(headers: Headers, { service, legacyHeader }: MicroversionRange): string | undefined {
  const header = headers['openstack-api-version']
  const values = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',')
  for (const value of values) {
    const [name, version] = value.trim().split(/\s+/)
    if (name?.toLowerCase() === service) return version?.toLowerCase() ?? ''
  }
  const legacy = legacyHeader ? headers[legacyHeader.toLowerCase()] : undefined
  return typeof legacy === 'string' ? legacy.trim().toLowerCase() : undefined
}
