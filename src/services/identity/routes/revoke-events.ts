import type { Revocation } from '../../../platform/auth/revocations.ts'
import { isoOf } from '../../../platform/clock.ts'
import type { App } from '../../../platform/http/app.ts'
import * as revocationRows from '../db/revocations.ts'
import type { Deps } from '../logic/deps.ts'
import { badRequest } from '../logic/refusals.ts'
import { queryOf, selfLink } from './shapes.ts'

/** How a scope of ours is said there. */
const attributes: Readonly<Record<string, string>> = {
  project: 'project_id',
  domain: 'domain_id',
  trust: 'OS-TRUST:trust_id',
  oauth1: 'OS-OAUTH1:access_token_id',
}

/** Null for what the API has no words for (what was handed on, guests' groups): saying half would void too much. */
function view({ auditId, userId, roleId, scope, domainId, issuedBeforeMs }: Revocation): object | null {
  const [kind = '', id = ''] = scope === undefined ? [] : scope.split(':', 2)
  if (scope !== undefined && (attributes[kind] === undefined || id === '')) return null
  return {
    issued_before: isoOf(issuedBeforeMs),
    ...(auditId === undefined ? {} : { audit_id: auditId }),
    ...(userId === undefined ? {} : { user_id: userId }),
    ...(roleId === undefined ? {} : { role_id: roleId }),
    ...(domainId === undefined ? {} : { domain_id: domainId }),
    ...(scope === undefined ? {} : { [attributes[kind]!]: id }),
  }
}

/** What voids tokens, for services that check them by themselves. Source: Identity API reference, "OS-REVOKE API". */
export function revokeEventRoutes(app: App, { database }: Deps): void {
  app.get('/v3/OS-REVOKE/events', { config: { policy: 'identity:list_revoke_events' } }, async (request) => {
    const { since } = queryOf(request)
    const sinceMs = since === undefined ? 0 : Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(since) ? since : `${since}Z`)
    if (Number.isNaN(sinceMs)) throw badRequest(`invalidate date format ${since}`)
    const found = await revocationRows.listSince(database.read, sinceMs)
    const events = found.sort((a, b) => a.issuedBeforeMs - b.issuedBeforeMs).map(view)
    const links = { next: null, ...selfLink(request, 'OS-REVOKE/events'), previous: null }
    return { events: events.filter((event) => event !== null), links }
  })
}
