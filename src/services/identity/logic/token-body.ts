import type { Claims, Federation } from '../../../platform/auth/token-codec.ts'
import { isoOf } from '../../../platform/clock.ts'
import type { Db } from '../../../platform/db/database.ts'
import * as filterRows from '../db/endpoint-filters.ts'
import * as groupRows from '../db/groups.ts'
import * as projectRows from '../db/projects.ts'
import * as serviceProviderRows from '../db/service-providers.ts'
import * as userRows from '../db/users.ts'
import { catalogFor } from './catalog.ts'
import type { Deps } from './deps.ts'

/** What `X-Subject-Token` means, as Keystone writes it. Names are today's. Source: Identity API reference, "Tokens". */
export async function tokenBody(
  { database, kept }: Pick<Deps, 'database' | 'kept'>,
  claims: Claims,
  withCatalog: boolean,
): Promise<Record<string, unknown>> {
  const { scope, userId } = claims
  const found = await kept.get(`names of ${userId}`, async (db) => {
    const user = await userRows.find(db, userId)
    return user && { name: user.name, expiresAt: user.passwordExpiresAt }
  })
  const project = (id: string) => kept.get(`project ${id}`, (db) => projectRows.find(db, id))
  const domain = async (id: string) => ({ id, name: (await project(id))?.name ?? id })
  const body: Record<string, unknown> = {
    methods: claims.methods,
    user: {
      domain: await domain(claims.userDomainId),
      id: userId,
      name: found?.name ?? claims.userName,
      password_expires_at: found?.expiresAt ?? null,
    },
    audit_ids: claims.auditIds,
    expires_at: isoOf(claims.expiresAtMs),
    issued_at: isoOf(claims.issuedAtMs),
  }
  addDelegation(body, claims)
  if (claims.federation) body.user = await federatedUser(database.read, body.user as object, claims.federation)
  const others = await kept.get('service providers', serviceProviderRows.listEnabled)
  if (others.length > 0)
    body.service_providers = others.map(({ id, authUrl, spUrl }) => ({ id, auth_url: authUrl, sp_url: spUrl }))
  if (!scope) return body
  if (scope.kind === 'system') body.system = { all: true }
  if (scope.kind === 'domain') body.domain = await domain(scope.id)
  if (scope.kind === 'project') {
    const now = await project(scope.id)
    body.project = { domain: await domain(scope.domainId), id: scope.id, name: now?.name ?? scope.name }
    body.is_domain = now?.isDomain ?? false
  }
  body.roles = claims.roles
  if (withCatalog) body.catalog = JSON.parse(await catalogText({ kept }, claims))
  return body
}

/** The same as the text of an answer: `{"token": …}`. The catalog, most of it, is not written anew for each. */
export async function tokenText(
  deps: Pick<Deps, 'database' | 'kept'>,
  claims: Claims,
  withCatalog: boolean,
): Promise<string> {
  const text = JSON.stringify({ token: await tokenBody(deps, claims, false) })
  if (!withCatalog || !claims.scope) return text
  return `${text.slice(0, -2)},"catalog":${await catalogText(deps, claims)}}}`
}

/**
 * Where no URL has anybody's id in it and no project has chosen its endpoints, all projects share one text; where no URL
 * has the user's, a project's users do.
 */
async function catalogText({ kept }: Pick<Deps, 'kept'>, { scope, userId }: Claims): Promise<string> {
  const projectId = scope?.kind === 'project' ? scope.id : null
  const textFor = async (db: Db, project: string | null, user: string) => {
    const text = JSON.stringify(await catalogFor(db, project, user))
    return text.includes(anyone) ? null : text
  }
  const everyones = await kept.get(`catalog of ${projectId === null ? 'no' : 'any'} project`, async (db) =>
    (await filterRows.areAny(db)) ? null : await textFor(db, projectId && anyone, anyone),
  )
  if (everyones !== null) return everyones
  const projects = await kept.get(`catalog of ${projectId}`, (db) => textFor(db, projectId, anyone))
  if (projects !== null) return projects
  return await kept.get(`catalog of ${projectId} ${userId}`, async (db) =>
    JSON.stringify(await catalogFor(db, projectId, userId)),
  )
}

/** Stands for an id; nobody's is like it. */
const anyone = '\u{f8ff}anyone'

/** Source: Identity API reference, "OS-FEDERATION: request an unscoped token". */
async function federatedUser(db: Db, user: object, { idpId, protocolId, groupIds }: Federation): Promise<object> {
  const { password_expires_at: _, ...rest } = user as { password_expires_at?: unknown }
  const groups = (await groupRows.findAll(db, groupIds)).map(({ id, name }) => ({ id, name }))
  return { ...rest, 'OS-FEDERATION': { groups, identity_provider: { id: idpId }, protocol: { id: protocolId } } }
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
