import { isoOf } from '../../../platform/clock.ts'
import { CloudError } from '../../../platform/errors.ts'
import { type Condition, type Query, type Sort, type SortKey, sortKeys } from '../db/listing.ts'

const refuse = (message: string): CloudError => new CloudError('badRequest', message)

/** Upstream's `limit_param_default` and `api_limit_max`. */
const limits = { standard: 25, most: 1000 }

export interface Listing {
  query: Omit<Query, 'after'>
  /** Id of the last image of the page before. */
  marker: string | undefined
}

/**
 * A list's query string → what to look for. Parameters that name no attribute of images are properties of theirs.
 * Source: Image API v2 reference, "List images".
 */
export function parseListing(search: URLSearchParams): Listing {
  const taken = new Set(['limit', 'marker', 'member_status', 'visibility', 'sort', 'sort_key', 'sort_dir', 'tag'])
  const conditions: Condition[] = search.getAll('tag').map((tag) => ({ tag: tag.trim() }))
  const hidden = search.get('os_hidden')?.toLowerCase() ?? 'false'
  conditions.push({ column: 'os_hidden', op: '=', value: bit('os_hidden', hidden) })
  taken.add('os_hidden')
  for (const [key, value] of search) if (!taken.has(key)) conditions.push(conditionOf(key, value))
  return {
    query: {
      conditions,
      visibility: oneOf('Invalid visibility value: ', visibilities, search.get('visibility')),
      memberStatus: oneOf('Invalid status: ', memberStatuses, search.get('member_status')) ?? 'accepted',
      sort: sortOf(search),
      limit: limitOf(search.get('limit')),
    },
    marker: search.get('marker') ?? undefined,
  }
}

const visibilities = ['community', 'public', 'private', 'shared', 'all'] as const
const memberStatuses = ['pending', 'accepted', 'rejected', 'all'] as const

function oneOf<T extends string>(complaint: string, allowed: readonly T[], value: string | null): T | undefined {
  if (!value) return undefined
  const found = allowed.find((one) => one === value)
  if (!found) throw refuse(`${complaint}${value}`)
  return found
}

function conditionOf(key: string, value: string): Condition {
  switch (key) {
    case 'changes-since':
      throw refuse('The "changes-since" filter is no longer available on v2.')
    case 'protected':
      return { column: 'protected', op: '=', value: bit(key, value) }
    case 'created_at':
    case 'updated_at':
      return timeCondition(key, value)
    case 'id':
    case 'name':
    case 'status':
    case 'container_format':
    case 'disk_format': {
      const [op, text] = operatorOf(value)
      if (op === 'in') return { column: key, op: 'in', value: quoted(text) }
      if (op !== 'eq') throw refuse(`Unable to filter by unknown operator '${op}'.`)
      return { column: key, op: '=', value: text }
    }
    case 'owner':
    case 'checksum':
    case 'os_hash_algo':
    case 'os_hash_value':
      return { column: key, op: '=', value }
  }
  const ranged = /^(size|min_disk|min_ram|virtual_size)(?:_(min|max))?$/.exec(key)
  if (!ranged) return { property: key, value }
  if (!/^-?\d+$/.test(value.trim())) throw refuse('Unable to filter on a range with a non-numeric value.')
  const column = ranged[1] as 'size' | 'min_disk' | 'min_ram' | 'virtual_size'
  return { column, op: ranged[2] === 'min' ? '>=' : ranged[2] === 'max' ? '<=' : '=', value: Number(value) }
}

function bit(name: string, value: string): 0 | 1 {
  if (value !== 'true' && value !== 'false') {
    throw refuse(`Invalid value '${value}' for '${name}' filter. Valid values are 'true' or 'false'.`)
  }
  return value === 'true' ? 1 : 0
}

/** `in:a,b` → in, `a,b`. What stands before a colon and is no operator belongs to the value. */
function operatorOf(value: string): [op: string, rest: string] {
  const [, op, rest] = /^(in|eq|neq|gt|gte|lt|lte):(.*)$/s.exec(value) ?? []
  return op !== undefined && rest !== undefined ? [op, rest] : ['eq', value]
}

/** Comma-separated; a value with commas stands in double quotes, with `\"` for a quote. */
function quoted(text: string): string[] {
  const values: string[] = []
  const token = /(?:"((?:[^"\\]|\\.)*)"|([^",]*))(?:,|$)/y
  while (token.lastIndex < text.length) {
    const match = token.exec(text)
    if (!match) throw refuse(`Invalid filter value ${text}. The quote is not closed, or there is no comma after it.`)
    values.push(match[1] !== undefined ? match[1].replace(/\\(.)/g, '$1') : (match[2] ?? ''))
  }
  return values
}

/** Clients know times to the second; rows have microseconds. So a second is a span, from its start to the next one. */
function timeCondition(column: 'created_at' | 'updated_at', value: string): Condition {
  const [op, text] = operatorOf(value)
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/i.test(text) || !text.includes('T') ? text : `${text}Z`
  const ms = Date.parse(zoned)
  if (Number.isNaN(ms)) throw refuse(`Bad "${column}" query filter format. Use ISO 8601 DateTime notation.`)
  const start = isoOf(Math.floor(ms / 1000) * 1000)
  const next = isoOf(Math.floor(ms / 1000) * 1000 + 1000)
  switch (op) {
    case 'gt':
      return { column, op: '>=', value: next }
    case 'gte':
      return { column, op: '>=', value: start }
    case 'lt':
      return { column, op: '<', value: start }
    case 'lte':
      return { column, op: '<', value: next }
    case 'neq':
      return {
        anyOf: [
          { column, op: '<', value: start },
          { column, op: '>=', value: next },
        ],
      }
    case 'eq':
      return {
        allOf: [
          { column, op: '>=', value: start },
          { column, op: '<', value: next },
        ],
      }
    default:
      throw refuse(`Unable to filter by unknown operator '${op}'.`)
  }
}

function limitOf(text: string | null): number {
  if (text === null) return limits.standard
  if (!/^[+-]?\d+$/.test(text.trim())) throw refuse('limit param must be an integer')
  if (Number(text) < 0) throw refuse('limit param must be positive')
  return Math.min(limits.most, Number(text))
}

/** `sort=name:asc,size` or `sort_key=name&sort_dir=asc&…`; always down to a unique key. */
function sortOf(search: URLSearchParams): Sort[] {
  const sort = search.get('sort')
  const [keys, directions] = [search.getAll('sort_key'), search.getAll('sort_dir')]
  if (sort !== null && keys.length + directions.length > 0) {
    throw refuse('Old and new sorting syntax cannot be combined')
  }
  if (directions.length > 1 && directions.length !== keys.length) {
    throw refuse('Number of sort dirs does not match the number of sort keys')
  }
  const wanted: Sort[] =
    sort !== null
      ? sort.split(',').map((part) => {
          const [key = '', direction = 'desc'] = part.split(':')
          return { key: keyOf(key.trim()), direction: directionOf(direction.trim() || 'desc') }
        })
      : (keys.length > 0 ? keys : ['created_at']).map((key, i) => ({
          key: keyOf(key.trim()),
          direction: directionOf((directions[i] ?? directions[0] ?? 'desc').trim()),
        }))
  for (const key of ['created_at', 'id'] as const) {
    if (!wanted.some((one) => one.key === key)) wanted.push({ key, direction: 'desc' })
  }
  return wanted
}

function keyOf(text: string): SortKey {
  const key = sortKeys.find((one) => one === text)
  if (!key) throw refuse(`Invalid sort key: ${text}. It must be one of the following: ${sortKeys.join(', ')}.`)
  return key
}

function directionOf(text: string): 'asc' | 'desc' {
  if (text !== 'asc' && text !== 'desc') throw refuse(`Invalid sort direction: ${text}`)
  return text
}
