import type { Claims } from '../../../platform/auth/token-codec.ts'
import { isoOf } from '../../../platform/clock.ts'
import type { Db } from '../../../platform/db/database.ts'
import * as projectRows from '../db/projects.ts'
import * as userRows from '../db/users.ts'
import { catalogFor } from './catalog.ts'

/** What `X-Subject-Token` means, as Keystone writes it. Names are today's. Source: Identity API reference, "Tokens". */
export async function tokenBody(db: Db, claims: Claims, withCatalog: boolean): Promise<Record<string, unknown>> {
  const { scope } = claims
  const user = await userRows.find(db, claims.userId)
  const domain = async (id: string) => ({ id, name: (await projectRows.find(db, id))?.name ?? id })
  const body: Record<string, unknown> = {
    methods: claims.methods,
    user: {
      domain: await domain(claims.userDomainId),
      id: claims.userId,
      name: user?.name ?? claims.userName,
      password_expires_at: user?.passwordExpiresAt ?? null,
    },
    audit_ids: claims.auditIds,
    expires_at: isoOf(claims.expiresAtMs),
    issued_at: isoOf(claims.issuedAtMs),
  }
  addDelegation(body, claims)
  if (!scope) return body
  if (scope.kind === 'system') body.system = { all: true }
  if (scope.kind === 'domain') body.domain = await domain(scope.id)
  if (scope.kind === 'project') {
    const project = await projectRows.find(db, scope.id)
    body.project = { domain: await domain(scope.domainId), id: scope.id, name: project?.name ?? scope.name }
    body.is_domain = project?.isDomain ?? false
  }
  body.roles = claims.roles
  if (withCatalog) body.catalog = await catalogFor(db, scope.kind === 'project' ? scope.id : null, claims.userId)
  return body
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
