import { randomBytes } from 'node:crypto'
import { type Clock, isoOf } from '../clock.ts'
import type { Context } from './context.ts'
import type { Revocations } from './revocations.ts'
import { type Claims, decode, encode } from './token-codec.ts'
import type { TokenKeys } from './token-keys.ts'
import { createVerified } from './verified.ts'

/** Issues tokens, and says what they stand for without a database. */
export interface Tokens {
  issue(claims: Claims): string
  /**
   * What a token says; null when it is not ours, expired or revoked. `allowExpiredMs` forgives an expiry up to that long
   * ago. About a microsecond for a token seen lately, ten for one ever seen, a signature's check (0.1 ms) otherwise.
   */
  read(token: string, options?: { allowExpiredMs?: number }): Claims | null
  /** `read`, as the context of a request. */
  authenticate(token: string, requestId: string): Context | null
}

interface Seen {
  claims: Claims
  roles: readonly string[]
  expiresAt: string
  /** The revocations' version when they were last found not to cover this token. */
  clearAt: number
}

/** `remember`: how many verified tokens are kept, those not asked about for long are forgotten first. */
export function createTokens(keys: TokenKeys, revocations: Revocations, clock: Clock, remember = 20_000): Tokens {
  // Two halves, the older of them dropped whole: taking entries out one by one leaves holes for a Map to step over.
  let seen = new Map<string, Seen>()
  let before = new Map<string, Seen>()
  const keep = (token: string, entry: Seen): void => {
    if (seen.size >= remember / 2) {
      before = seen
      seen = new Map()
    }
    seen.set(token, entry)
  }
  const verified = createVerified()

  const find = (token: string): Seen | null => {
    const known = seen.get(token)
    if (known) return known
    const older = before.get(token)
    if (older) {
      keep(token, older)
      return older
    }
    const wasSeen = verified.has(token)
    const payload = keys.open(token, wasSeen)
    if (!payload) return null
    if (!wasSeen) verified.add(token)
    const claims = decode(payload)
    const entry = { claims, roles: claims.roles.map((r) => r.name), expiresAt: isoOf(claims.expiresAtMs), clearAt: -1 }
    keep(token, entry)
    return entry
  }

  const valid = (token: string, allowExpiredMs: number): Seen | null => {
    const entry = find(token)
    if (!entry || entry.claims.expiresAtMs + allowExpiredMs <= clock.nowMs()) return null
    if (entry.clearAt === revocations.version) return entry
    if (revocations.covers(entry.claims)) return null
    entry.clearAt = revocations.version
    return entry
  }

  return {
    issue(claims) {
      const token = keys.seal(encode(claims))
      verified.add(token)
      return token
    },
    read: (token, options) => valid(token, options?.allowExpiredMs ?? 0)?.claims ?? null,
    authenticate(token, requestId) {
      const entry = valid(token, 0)
      if (!entry) return null
      const { claims, roles, expiresAt } = entry
      const { scope } = claims
      const project = scope?.kind === 'project' ? scope : null
      return {
        requestId,
        userId: claims.userId,
        userName: claims.userName,
        userDomainId: claims.userDomainId,
        projectId: project?.id ?? null,
        projectName: project?.name ?? null,
        projectDomainId: project?.domainId ?? null,
        domainId: scope?.kind === 'domain' ? scope.id : null,
        system: scope?.kind === 'system',
        roles,
        isAdmin: roles.includes('admin'),
        token,
        expiresAt,
        auditIds: claims.auditIds,
        methods: claims.methods,
        ...(claims.delegation ? { delegation: claims.delegation } : {}),
        ...(claims.federation ? { federation: claims.federation } : {}),
      }
    },
  }
}

/** As Keystone's: 16 random bytes, URL-safe. */
export const newAuditId = (): string => randomBytes(16).toString('base64url')
