import type { FastifyRequest } from 'fastify'
import { isoOf } from '../../../platform/clock.ts'
import type { Group } from '../db/groups.ts'
import { type Comparison, comparisons, type Filter } from '../db/lists.ts'
import type { User } from '../db/users.ts'
import { badRequest } from '../logic/refusals.ts'
import { queryOf, selfLink } from './shapes.ts'

export const userFilters = {
  name: { column: 'name' },
  enabled: { column: 'enabled', flag: true },
  domain_id: { column: 'domain_id' },
} as const

/**
 * `password_expires_at=lt:2030-01-01T00:00:00Z`; users whose password does not expire are in none.
 * Source: Identity API reference, "List users".
 */
export function expiryFilters(request: FastifyRequest): Filter[] {
  const { password_expires_at: text } = queryOf(request)
  if (text === undefined) return []
  const [, word = 'eq', moment = ''] = /^(?:([a-z]+):)?(\d.*)$/.exec(text) ?? []
  const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(moment) ? moment : `${moment}Z`)
  if (!(word in comparisons) || Number.isNaN(ms))
    throw badRequest(`Invalid input for field 'password_expires_at': ${text}. It is {operator}:{timestamp}.`)
  return [{ column: 'password_expires_at', operator: word as Comparison, value: isoOf(ms) }]
}

export const userView = (request: FastifyRequest) => (user: User) => ({
  ...user.extra,
  id: user.id,
  name: user.name,
  domain_id: user.domainId,
  enabled: user.enabled,
  ...(user.defaultProjectId === null ? {} : { default_project_id: user.defaultProjectId }),
  options: user.options,
  password_expires_at: user.passwordExpiresAt,
  links: selfLink(request, `users/${user.id}`),
})

export const groupFilters = { name: { column: 'name' }, domain_id: { column: 'domain_id' } } as const

export const groupView = (request: FastifyRequest) => (group: Group) => ({
  ...group.extra,
  id: group.id,
  name: group.name,
  domain_id: group.domainId,
  description: group.description,
  links: selfLink(request, `groups/${group.id}`),
})
