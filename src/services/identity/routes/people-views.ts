import type { FastifyRequest } from 'fastify'
import type { Group } from '../db/groups.ts'
import type { User } from '../db/users.ts'
import { selfLink } from './shapes.ts'

export const userFilters = {
  name: { column: 'name' },
  enabled: { column: 'enabled', flag: true },
  domain_id: { column: 'domain_id' },
} as const

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
