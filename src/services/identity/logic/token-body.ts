import type { Claims } from '../../../platform/auth/token-codec.ts'
import { isoOf } from '../../../platform/clock.ts'
import type { Db } from '../../../platform/db/database.ts'
import * as projectRows from '../db/projects.ts'
import * as userRows from '../db/users.ts'
import { catalogFor } from './catalog.ts'
import type { Deps } from './deps.ts'

/** The names of today that go with a token's ids. */
interface Named {
  user: { domain: { id: string; name: string }; id: string; name: string; password_expires_at: string | null }
  /** What the scope adds. */
  scope: Record<string, unknown>
}

/** What `X-Subject-Token` means, as Keystone writes it. Names are today's. Source: Identity API reference, "Tokens". */
export async function tokenBody(
  { kept }: Pick<Deps, 'kept'>,
  claims: Claims,
  withCatalog: boolean,
): Promise<Record<string, unknown>> {
  const { scope, userId } = claims
  const scopeId = scope && scope.kind !== 'system' ? scope.id : ''
  const named = await kept.get(`named ${userId} ${scope?.kind} ${scopeId}`, (db) => namedOf(db, claims))
  const body: Record<string, unknown> = {
    methods: claims.methods,
    user: named.user,
    audit_ids: claims.auditIds,
    expires_at: isoOf(claims.expiresAtMs),
    issued_at: isoOf(claims.issuedAtMs),
  }
  addDelegation(body, claims)
  if (!scope) return body
  Object.assign(body, named.scope)
  body.roles = claims.roles
  if (withCatalog) body.catalog = JSON.parse(await catalogText(kept, claims))
  return body
}

/** The same as the text of an answer: `{"token": …}`. The catalog, most of it, is not written anew for each. */
export async function tokenText(deps: Pick<Deps, 'kept'>, claims: Claims, withCatalog: boolean): Promise<string> {
  const text = JSON.stringify({ token: await tokenBody(deps, claims, false) })
  if (!withCatalog || !claims.scope) return text
  return `${text.slice(0, -2)},"catalog":${await catalogText(deps.kept, claims)}}}`
}

const catalogText = (kept: Deps['kept'], { scope, userId }: Claims): Promise<string> => {
  const projectId = scope?.kind === 'project' ? scope.id : null
  return kept.get(`catalog ${userId} ${projectId}`, async (db) => {
    const text = JSON.stringify(await catalogFor(db, projectId, userId))
    // Where no URL has anybody's id in it, all of them share one text in memory.
    if (text !== lastCatalog) lastCatalog = text
    return lastCatalog
  })
}
let lastCatalog = ''

async function namedOf(db: Db, { scope, userId, userName, userDomainId }: Claims): Promise<Named> {
  const found = await userRows.find(db, userId)
  const domain = async (id: string) => ({ id, name: (await projectRows.find(db, id))?.name ?? id })
  const user = {
    domain: await domain(userDomainId),
    id: userId,
    name: found?.name ?? userName,
    password_expires_at: found?.passwordExpiresAt ?? null,
  }
  if (scope?.kind === 'system') return { user, scope: { system: { all: true } } }
  if (scope?.kind === 'domain') return { user, scope: { domain: await domain(scope.id) } }
  if (!scope) return { user, scope: {} }
  const project = await projectRows.find(db, scope.id)
  const view = { domain: await domain(scope.domainId), id: scope.id, name: project?.name ?? scope.name }
  return { user, scope: { project: view, is_domain: project?.isDomain ?? false } }
}

/** Source: Identity API reference, "Authenticating with an application credential", "OS-TRUST". */
function addDelegation(body: Record<string, unknown>, { delegation }: Claims): void {
  if (delegation?.kind === 'oauth1')
    body['OS-OAUTH1'] = { access_token_id: delegation.id, consumer_id: delegation.consumerId }
  if (delegation?.kind === 'trust')
    body['OS-TRUST:trust'] = {
      id: delegation.id,
      impersonation: delegation.impersonation,
      trustor_user: { id: delegation.trustorId },
      trustee_user: { id: delegation.trusteeId },
    }
  if (delegation?.kind !== 'application_credential') return
  const { id, name, restricted, accessRules } = delegation
  body.application_credential = { id, name, restricted, ...(accessRules ? { access_rules: accessRules } : {}) }
}
