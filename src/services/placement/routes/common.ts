import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { microversion } from '../../../platform/http/microversions.ts'
import { badRequest } from '../logic/refusals.ts'

export const since = (request: FastifyRequest, version: string): boolean =>
  request.microversion >= microversion(version)

export const idParams = Type.Object({ id: Type.String() })
export const nameParams = Type.Object({ name: Type.String() })

export const strict = { additionalProperties: false }
/** With dashes or without, in either case. */
export const uuidPattern = '^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$'
export const Uuid = Type.String({ pattern: uuidPattern })
const like = new RegExp(uuidPattern)
export const isUuid = (text: string): boolean => like.test(text)

/** `8-4-4-4-12`, in small letters. */
export function dashed(uuid: string): string {
  const hex = uuid.replaceAll('-', '').toLowerCase()
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

export const providerPath = (id: string): string => `/resource_providers/${id}`

/** From 1.15 on clients are told when a thing last changed; null for an answer that is made as it is asked for. */
export function dated(request: FastifyRequest, reply: FastifyReply, at: string | null): void {
  if (!since(request, '1.15')) return
  reply.header('last-modified', (at === null ? new Date() : new Date(at)).toUTCString())
  reply.header('cache-control', 'no-cache')
}

export const latest = (times: readonly string[]): string | null =>
  times.reduce<string | null>((last, at) => (last === null || at > last ? at : last), null)

export type Query = Readonly<Record<string, string | string[] | undefined>>
export const queryOf = (request: FastifyRequest): Query => request.query as Query
export const all = (query: Query, name: string): string[] => [query[name] ?? []].flat()
export const last = (query: Query, name: string): string | undefined => all(query, name).at(-1)

/** @throws CloudError `badRequest` for a parameter that is not there at this microversion */
export function checkKeys(query: Query, known: (name: string) => boolean): void {
  const name = Object.keys(query).find((each) => !known(each))
  if (name === undefined) return
  const why = `Additional properties are not allowed ('${name}' was unexpected)`
  throw badRequest(`Invalid query string parameters: ${why}`)
}
