import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { baseUrl, withQuery } from '../../../platform/http/links.ts'
import { type Filter, operators, type Page } from '../db/lists.ts'
import { badRequest } from '../logic/refusals.ts'

/** Not blank. Source: Keystone's request schemas. */
export const Name = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '\\S' })
export const Text = Type.Union([Type.String(), Type.Null()])
export const Id = Type.String({ minLength: 1, maxLength: 64 })
export const OptionalId = Type.Union([Id, Type.Null()])
/** Of another resource, as unified limits take it. Source: Keystone's request schemas. */
export const ResourceId = Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-zA-Z0-9-]+$' })
export const ResourceName = Type.String({ minLength: 1, maxLength: 255 })
/** -1: any amount. */
export const Amount = Type.Integer({ minimum: -1, maximum: 0x7fffffff })
export const Options = Type.Record(Type.String(), Type.Unknown())
export const Immutable = Type.Object({ immutable: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])) })

/** Where the thing itself is: `…/v3/users/<id>`. */
export const selfLink = (request: FastifyRequest, path: string): { self: string } => ({
  self: `${baseUrl(request)}/v3/${path}`,
})

/** The attributes that the API does not know: kept, and shown as they came. */
export function extraOf(body: object, known: readonly string[]): Record<string, unknown> {
  const own = new Set([...known, 'id', 'links'])
  return Object.fromEntries(Object.entries(body).filter(([key]) => !own.has(key)))
}

/** What a change says and what was there, an option set to null being taken off. */
export function mergeOptions(was: Readonly<Record<string, unknown>>, wanted: object | undefined) {
  const merged = { ...was, ...wanted }
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null))
}

/** @throws CloudError kind `badRequest` when a body names another thing than its path. */
export function sameId(body: object, id: string, noun: string): void {
  if ('id' in body && body.id !== id) throw badRequest(`Cannot change ${noun} ID`)
}

export const queryOf = (request: FastifyRequest): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(
    Object.entries(request.query as Record<string, string | string[]>).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.at(-1) : value,
    ]),
  )

/** As Keystone reads a flag in a query: given and not false. */
export function isTrue(value: string | undefined): boolean {
  return value !== undefined && !['0', 'false', 'no', 'off', 'f', 'n'].includes(value.toLowerCase())
}

/** API attribute → column, and whether it is a flag. */
export type Filterable = Readonly<Record<string, { column: string; flag?: true }>>

/**
 * Filters (`name`, `name__contains` …), `marker` and `limit` of a list. One row more than the limit is asked for, so
 * that `listed` knows of a further page.
 */
export function pageOf(request: FastifyRequest, filterable: Filterable, more: readonly Filter[] = []): Page {
  const filters: Filter[] = [...more]
  const query = queryOf(request)
  for (const [key, value = ''] of Object.entries(query)) {
    const [name = '', word = 'equals'] = key.split('__')
    const known = filterable[name]
    const operator = operators.find((each) => each === word)
    if (!known || !operator) continue
    if (known.flag) filters.push({ column: known.column, operator: 'equals', value: isTrue(value) ? 1 : 0 })
    else filters.push({ column: known.column, operator, value })
  }
  const limit = limitOf(query)
  return { filters, marker: query.marker ?? null, limit: limit === null ? null : limit + 1 }
}

const maxLimit = 10_000

function limitOf(query: Readonly<Record<string, string | undefined>>): number | null {
  if (query.limit === undefined) return null
  const limit = Number(query.limit)
  if (!/^\d+$/.test(query.limit) || limit < 1) throw badRequest(`Invalid input for field 'limit': ${query.limit}`)
  return Math.min(limit, maxLimit)
}

/** `{"users": […], "links": {…}}`. */
export function listed<T extends { id: string }, V>(
  request: FastifyRequest,
  key: string,
  found: readonly T[],
  view: (item: T) => V,
): Record<string, unknown> {
  const limit = limitOf(queryOf(request))
  const items = limit === null ? found : found.slice(0, limit)
  const marker = items.length < found.length ? items.at(-1)?.id : undefined
  const links = {
    next: marker === undefined ? null : baseUrl(request) + withQuery(request, { marker }),
    self: `${baseUrl(request)}${request.url}`,
    previous: null,
  }
  return { [key]: items.map(view), links }
}
