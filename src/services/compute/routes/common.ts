import type { FastifyRequest } from 'fastify'
import ipaddr from 'ipaddr.js'
import { type TSchema, Type } from 'typebox'
import { isoOf } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { type Microversion, microversion } from '../../../platform/http/microversions.ts'
import { compile, type Validate } from '../../../platform/http/validation.ts'

/** Query parameters as Fastify gives them: a repeated one is a list. */
export type Query = Readonly<Record<string, string | string[] | undefined>>

export const queryOf = (request: FastifyRequest): Query => request.query as Query
export const all = (query: Query, name: string): string[] => [query[name] ?? []].flat()
/** Of a repeated parameter the last one counts. */
export const last = (query: Query, name: string): string | undefined => all(query, name).at(-1)

/** Whether the request's microversion is at least this. */
export const since = (request: FastifyRequest, version: string): boolean =>
  request.microversion >= microversion(version)

/** Old proxies and views end with a microversion; from the next on they are not there. @throws CloudError `notFound` */
export function requireUntil(request: FastifyRequest, last: string): void {
  if (request.microversion <= microversion(last)) return
  throw new CloudError('notFound', 'The resource could not be found.')
}

/** `http://host:8774/v2.1`, with the project when the client put it into its path. */
export function rootUrl(request: FastifyRequest): string {
  const version = /^\/v2(\.1)?(?=\/|$)/.exec(request.url)?.[0] ?? '/v2.1'
  return baseUrl(request) + version + projectPart(request)
}

function projectPart(request: FastifyRequest): string {
  const { projectId } = request.params as { projectId?: string }
  return projectId ? `/${projectId}` : ''
}

export interface Link {
  rel: string
  href: string
}

/** The two links of a resource: its own, and one that outlives versions. */
export function selfLinks(request: FastifyRequest, collection: string, id: string): Link[] {
  return [{ rel: 'self', href: `${rootUrl(request)}/${collection}/${id}` }, bookmark(request, collection, id)]
}

export function bookmark(request: FastifyRequest, collection: string, id: string): Link {
  return { rel: 'bookmark', href: `${baseUrl(request)}${projectPart(request)}/${collection}/${id}` }
}

/** A page never has more, whatever was asked for. */
const mostItems = 1000
/** What a list has before its microversion of paging. */
export const unpaged: Paging = { limit: mostItems, marker: null, linked: false }

/** `linked`: a page so short was asked for, so the answer links to the next. */
export interface Paging {
  limit: number
  marker: string | null
  linked: boolean
}

/** `limit` and `marker`. A limit of 0 is an empty page. @throws CloudError `badRequest` */
export function paging(query: Query): Paging {
  const text = last(query, 'limit')
  if (text !== undefined && !/^\d+$/.test(text)) {
    throw new CloudError('badRequest', `Invalid input for query parameters limit. Value: ${text}. It must be a number.`)
  }
  const limit = Math.min(Number(text ?? mostItems), mostItems)
  return { limit, marker: last(query, 'marker') ?? null, linked: text !== undefined && limit > 0 }
}

/** A time as the database writes it, or null. @throws CloudError `badRequest` */
export function timeOf(query: Query, name: string): string | null {
  const text = last(query, name)
  if (text === undefined) return null
  // Without a zone it is UTC; JavaScript would read much else as a date, too.
  const iso = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(?<zone>z|[+-]\d\d:?\d\d)?)?$/i.exec(text)
  const ms = iso ? Date.parse(iso.groups?.zone || text.length === 10 ? text : `${text}Z`) : Number.NaN
  if (!Number.isNaN(ms)) return isoOf(ms)
  const why = "It is not a 'date-time'."
  throw new CloudError('badRequest', `Invalid input for query parameters ${name}. Value: ${text}. ${why}`)
}

/** A microversion's schema: the newest of those that had begun by then, compiled once. */
export function versioned(breakpoints: readonly string[], make: (at: (v: string) => boolean) => TSchema) {
  const compiled = breakpoints.map((breakpoint) => {
    const from = microversion(breakpoint)
    let validate: Validate | undefined
    return {
      from,
      get: () =>
        (validate ??= compile(
          make((v) => from >= microversion(v)),
          'body',
        )),
    }
  })
  // `/v2` is as old as can be, whatever the headers say: what came later does not exist there.
  const validator = (at: Microversion): Validate => {
    const found = compiled.findLast(({ from }) => from <= at)
    if (!found) throw new CloudError('notFound', 'The resource could not be found.')
    return found.get()
  }
  /** For `bodies` of a route: none in a version before the first. */
  const schemas = (at: Microversion): unknown[] =>
    compiled.some(({ from }) => from <= at) ? [validator(at).schema] : []
  return Object.assign(validator, { schemas })
}

const trueTexts = ['True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes']
const falseTexts = ['False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no']

/** What may stand for a boolean. Source: Compute API reference; the words are oslo.utils'. */
export const Boolish = Type.Union([Type.Boolean(), Type.Enum([...trueTexts, ...falseTexts])])
export const isTrue = (value: unknown): boolean =>
  value === true || (typeof value === 'string' && /^(t|true|1|on|y|yes)$/i.test(value))

/** Printable characters, no blank at either end. */
export const Name = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: '^(?!\\s)[^\\p{C}\\p{Zl}\\p{Zp}]*(?<!\\s)$',
})
export const Description = Type.Union([
  Type.String({ maxLength: 255, pattern: '^[^\\p{C}\\p{Zl}\\p{Zp}]*$' }),
  Type.Null(),
])
export const Uuid = Type.String({ format: 'uuid' })
export const Tag = Type.String({ minLength: 1, maxLength: 60, pattern: '^[^,/]*$' })
export const IpAddress = Type.Union([Type.String({ format: 'ipv4' }), Type.String({ format: 'ipv6' })])
export const Metadata = Type.Record(
  Type.String({ pattern: '^[a-zA-Z0-9-_:. ]{1,255}$' }),
  Type.String({ maxLength: 255 }),
  {
    additionalProperties: false,
  },
)
/** A whole number, or its digits. */
export const Count = (minimum: number, maximum = 2_147_483_647) =>
  Type.Union([Type.Integer({ minimum, maximum }), Type.String({ pattern: '^[0-9]+$', minLength: 1, maxLength: 10 })])

/** `Count`'s value as a number. @throws CloudError `badRequest` when its digits are out of range */
export function countOf(value: number | string, field: string, minimum: number): number {
  const number = Number(value)
  if (number < minimum || number > 2_147_483_647) {
    throw new CloudError(
      'badRequest',
      `Invalid input for field/attribute ${field}. Value: ${value}. It must be from ${minimum} to 2147483647.`,
    )
  }
  return number
}

/** Base64 of RFC 4648 §4; line breaks are let pass, as clients wrap it. */
export const isBase64 = (text: string): boolean =>
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text.replace(/\s/g, ''))

/** RFC 5952, so that two spellings of an address compare as one. */
export const canonicalIpV6 = (text: string): string => ipaddr.IPv6.parse(text).toRFC5952String()
