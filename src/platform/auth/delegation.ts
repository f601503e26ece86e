/** One request that a user allows an application: exactly this service, method and path. */
export interface AccessRule {
  /** Official service type. */
  readonly service: string
  readonly method: string
  /** `*` and `{name}` stand for a segment or a part of one, `**` for anything. */
  readonly path: string
}

/** By what a token acts in a user's name, when it was not the user in person who logged in. */
export type Delegation =
  | {
      readonly kind: 'application_credential'
      readonly id: string
      readonly name: string
      /** It may not make or delete application credentials. */
      readonly restricted: boolean
      /** Absent: no further limits. */
      readonly accessRules?: readonly AccessRule[]
    }
  | { readonly kind: 'oauth1'; readonly id: string; readonly consumerId: string }
  | {
      readonly kind: 'trust'
      readonly id: string
      readonly impersonation: boolean
      readonly trustorId: string
      readonly trusteeId: string
      /** All through whose hands the rights went, from their owner to the trustee, and the domains of these users. */
      readonly chain: readonly string[]
      readonly domainIds: readonly string[]
    }

/** By these a user proves in person who they are; whatever else there may be one day hands on rights. */
const inPerson = new Set(['password', 'token', 'totp', 'mapped'])

/** Whether a token acts by a part of a user's rights that was handed on, not as the user. */
export const isDelegated = (token: {
  readonly methods: readonly string[]
  readonly delegation?: Delegation
  readonly federation?: { readonly protocolId: string }
}): boolean =>
  token.delegation !== undefined ||
  token.methods.length === 0 ||
  token.methods.some((method) => !inPerson.has(method) && method !== token.federation?.protocolId)

/** How a revocation's `scope` names it. */
export const delegationKey = ({ kind, id }: Delegation): string => `${kind}:${id}`

/**
 * Whether the token may make this request. Without access rules it may; what a token means can always be asked.
 * Source: Identity API reference, "Application credentials: access rules"; keystonemiddleware's reading of paths.
 */
export function allows(delegation: Delegation | undefined, service: string, method: string, url: string): boolean {
  if (delegation?.kind !== 'application_credential' || !delegation.accessRules) return true
  const path = url.split(/[?#]/, 1)[0]! // where the router stops reading, too
  if (service === 'identity' && method === 'GET' && path === '/v3/auth/tokens') return true
  return delegation.accessRules.some(
    (rule) => rule.service === service && rule.method === method && pathMatches(rule.path, path),
  )
}

/**
 * Follows all readings of the pattern at once: the cost is pattern × path. A regular expression made of a tenant's
 * pattern could be made to run for hours.
 */
export function pathMatches(pattern: string, path: string): boolean {
  let at: boolean[] = Array.from({ length: path.length + 1 }, (_, i) => i === 0)
  for (const [piece] of pattern.matchAll(/\*\*|\*|\{[^}]*\}|[\s\S]/g)) {
    const next: boolean[] = new Array<boolean>(path.length + 1).fill(false)
    if (piece === '**') {
      for (let i = 0, on = false; i <= path.length; i++) next[i] = on = on || at[i]!
    } else if (piece === '*' || piece.length > 1) {
      for (let i = 0, on = false; i < path.length; i++) next[i + 1] = on = (on || at[i]!) && path[i] !== '/'
    } else for (let i = 0; i < path.length; i++) next[i + 1] = at[i]! && path[i] === piece
    at = next
  }
  return at[path.length]!
}
