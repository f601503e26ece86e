import type { Clock } from '../clock.ts'
import { delegationKey, isDelegated } from './delegation.ts'
import type { Claims } from './token-codec.ts'

/**
 * Which tokens are void: those that match every attribute given and were issued at `issuedBeforeMs` or earlier. As
 * plain JSON it crosses the bus, and it is a row of the identity service's table.
 */
export interface Revocation {
  readonly auditId?: string
  readonly userId?: string
  readonly roleId?: string
  /**
   * Where the token is valid: `project:<id>`, `domain:<id>`, `system` or `none`; or by what it was made:
   * `trust:<id>`, `application_credential:<id>`, `idp:<id>`, `idp:<id>/<protocol>`, `group:<id>` (of the groups that an
   * identity provider told of); or `delegated`, `delegated:project:<id>`: only what was handed on.
   */
  readonly scope?: string
  /** Of the user, or of the project in scope. */
  readonly domainId?: string
  readonly issuedBeforeMs: number
}

/** What is revoked, in memory. Feed it from the table at the start, and from the bus. */
export interface Revocations {
  /** Grows with every addition, so that who has found a token valid need not look again before it changes. */
  readonly version: number
  readonly size: number
  add(revocation: Revocation): void
  covers(claims: Claims): boolean
}

/** How a scope is written in a revocation. */
export function scopeKey(scope: Claims['scope']): string {
  if (!scope) return 'none'
  return scope.kind === 'system' ? 'system' : `${scope.kind}:${scope.id}`
}

/**
 * `maxTokenMs` is the longest life of a token: an older revocation can concern none that is alive, and is forgotten.
 * Attributes are hashed to one key, so a check costs a few look-ups however many revocations there are.
 */
export function createRevocations(clock: Clock, maxTokenMs: number): Revocations {
  const latest = new Map<string, number>()
  let version = 0
  let sweepAt = 1024
  return {
    get version() {
      return version
    },
    get size() {
      return latest.size
    },
    add(revocation) {
      const key = keyOf(revocation)
      if ((latest.get(key) ?? -1) >= revocation.issuedBeforeMs) return
      latest.set(key, revocation.issuedBeforeMs)
      version++
      if (latest.size < sweepAt) return
      for (const [old, issuedBeforeMs] of latest) if (issuedBeforeMs + maxTokenMs < clock.nowMs()) latest.delete(old)
      sweepAt = Math.max(1024, latest.size * 2)
    },
    covers(claims) {
      if (latest.size === 0) return false
      return keysOf(claims).some((key) => (latest.get(key) ?? -1) >= claims.issuedAtMs)
    },
  }
}

const join = (...parts: (string | undefined)[]) => parts.map((part) => part ?? '').join('|')

const keyOf = (r: Revocation) => join(r.auditId, r.userId, r.roleId, r.scope, r.domainId)

/** Every key a revocation may have that concerns this token. */
function keysOf(claims: Claims): string[] {
  const { scope, delegation } = claims
  const where = scopeKey(scope)
  const trust = delegation?.kind === 'trust' ? delegation : undefined
  const userIds = new Set([claims.userId, ...(trust?.chain ?? [])])
  const domainIds = [claims.userDomainId, ...(scope?.kind === 'project' ? [scope.domainId] : [])]
  const keys = [
    join(claims.auditIds[0], undefined, undefined, undefined, undefined),
    join(undefined, undefined, undefined, where, undefined),
    ...[...domainIds, ...(trust?.domainIds ?? [])].map((id) => join(undefined, undefined, undefined, undefined, id)),
    ...claims.roles.map(({ id }) => join(undefined, undefined, id, undefined, undefined)),
  ]
  if (delegation) keys.push(join(undefined, undefined, undefined, delegationKey(delegation), undefined))
  if (claims.federation) {
    const { idpId, protocolId, groupIds } = claims.federation
    for (const by of [`idp:${idpId}`, `idp:${idpId}/${protocolId}`, ...groupIds.map((id) => `group:${id}`)])
      keys.push(join(undefined, undefined, undefined, by, undefined))
  }
  if (isDelegated(claims)) {
    for (const { id } of claims.roles) keys.push(join(undefined, undefined, id, 'delegated', undefined))
    for (const userId of userIds)
      for (const scope of ['delegated', `delegated:${where}`])
        keys.push(join(undefined, userId, undefined, scope, undefined))
  }
  for (const userId of userIds) {
    keys.push(join(undefined, userId, undefined, undefined, undefined))
    keys.push(join(undefined, userId, undefined, where, undefined))
    for (const { id } of claims.roles) {
      keys.push(join(undefined, userId, id, undefined, undefined))
      keys.push(join(undefined, userId, id, where, undefined))
    }
  }
  return keys
}
