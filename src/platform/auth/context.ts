import type { Delegation } from './delegation.ts'
import type { Federation } from './token-codec.ts'

/** Who asks, in which scope, with which roles: what a token says. Made once per request, never changed. */
export interface Context {
  readonly requestId: string
  readonly userId: string
  readonly userName: string
  readonly userDomainId: string
  /** Scope: a project, a domain, the system, or (unscoped) none of them. */
  readonly projectId: string | null
  readonly projectName: string | null
  readonly projectDomainId: string | null
  readonly domainId: string | null
  readonly system: boolean
  /** Role names, implied ones included. */
  readonly roles: readonly string[]
  /** Shorthand for the role `admin`, which upstream's `is_admin` means. */
  readonly isAdmin: boolean
  /** The token as it was sent; empty for Berth's own work. */
  readonly token: string
  /** ISO 8601. */
  readonly expiresAt: string
  readonly auditIds: readonly string[]
  readonly methods: readonly string[]
  /** Absent when the user logged in in person. */
  readonly delegation?: Delegation
  /** Absent for who is no guest of an identity provider elsewhere. */
  readonly federation?: Federation
}

/** Token → who it stands for; null when it is unknown, expired or revoked. Costs microseconds: no database trip. */
export type Authenticate = (token: string, requestId: string) => Context | null

/** The project of a context. @throws Error when the scope is no project: routes say so in their policy beforehand. */
export function projectOf(ctx: Context): string {
  if (!ctx.projectId) throw new Error('This call needs a token scoped to a project')
  return ctx.projectId
}

/** A context for Berth's own work (seeding, loops), which no policy refuses. */
export function systemContext(requestId: string, project: { id: string; domainId: string } | null = null): Context {
  return {
    requestId,
    userId: 'berth',
    userName: 'berth',
    userDomainId: 'default',
    projectId: project?.id ?? null,
    projectName: null,
    projectDomainId: project?.domainId ?? null,
    domainId: null,
    system: project === null,
    roles: ['admin', 'manager', 'member', 'reader'],
    isAdmin: true,
    token: '',
    expiresAt: '9999-12-31T23:59:59.000000Z',
    auditIds: [],
    methods: [],
  }
}
