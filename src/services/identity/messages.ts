import type { Revocation } from '../../platform/auth/revocations.ts'

/** To every process, on `event.identity.revoked`. Who misses it reads the table a few seconds later. */
export interface Revoked {
  readonly revocations: readonly Revocation[]
}

/** To the services above, on `event.identity.projects-deleted`. */
export interface ProjectsDeleted {
  readonly projectIds: readonly string[]
}

export const subjects = {
  revoked: 'event.identity.revoked',
  projectsDeleted: 'event.identity.projects-deleted',
} as const
