import { join } from 'node:path'
import type { Authenticate, Context } from '../../platform/auth/context.ts'
import { createPolicy } from '../../platform/auth/policy-engine.ts'
import { createFailureLimit } from '../../platform/auth/rate-limit.ts'
import { createRevocations } from '../../platform/auth/revocations.ts'
import { openSecretBox } from '../../platform/auth/secret-box.ts'
import { openTokenKeys } from '../../platform/auth/token-keys.ts'
import { createTokens } from '../../platform/auth/tokens.ts'
import { urlOf } from '../../platform/config.ts'
import type { Db } from '../../platform/db/database.ts'
import { createKept } from '../../platform/db/kept.ts'
import { createApp } from '../../platform/http/app.ts'
import type { LimitStore } from '../../platform/quota/limits.ts'
import type { Ground, Service, ServiceMigrations } from '../../platform/service.ts'
import { migrations } from './db/migrations/index.ts'
import * as projectRows from './db/projects.ts'
import * as version from './db/version.ts'
import { type AsUser, contextAs } from './logic/as-user.ts'
import { type Registration, register } from './logic/catalog.ts'
import type { Deps } from './logic/deps.ts'
import { limitStore } from './logic/limit-store.ts'
import { type LogIn, logIn } from './logic/log-in.ts'
import { type Minted, mint } from './logic/mint.ts'
import { type Reissued, reissue } from './logic/reissue.ts'
import { type Secrets, type Seeded, seed } from './logic/seed.ts'
import { type Revoked, subjects } from './messages.ts'
import { rules } from './policy.ts'
import { delegationRules } from './policy-delegation.ts'
import { extensionRules } from './policy-extensions.ts'
import { federationRules } from './policy-federation.ts'
import { membershipReconciler } from './reconcile/memberships.ts'
import { revocationReconciler } from './reconcile/revocations.ts'
import { sealedSecretsReconciler } from './reconcile/sealed-secrets.ts'
import { signingKeyReconciler } from './reconcile/signing-keys.ts'
import { accessRuleRoutes } from './routes/access-rules.ts'
import { applicationCredentialRoutes } from './routes/application-credentials.ts'
import { authRoutes } from './routes/auth.ts'
import { consumerRoutes } from './routes/consumers.ts'
import { credentialRoutes } from './routes/credentials.ts'
import { discoveryRoutes } from './routes/discovery.ts'
import { domainConfigRoutes } from './routes/domain-config.ts'
import { domainRoutes } from './routes/domains.ts'
import { ec2CredentialRoutes } from './routes/ec2-credentials.ts'
import { ec2TokenRoutes } from './routes/ec2-tokens.ts'
import { endpointGroupRoutes } from './routes/endpoint-groups.ts'
import { endpointRoutes } from './routes/endpoints.ts'
import { identityFault } from './routes/fault.ts'
import { federatedAuthRoutes } from './routes/federated-auth.ts'
import { federationProtocolRoutes } from './routes/federation-protocols.ts'
import { grantRoutes } from './routes/grants.ts'
import { groupRoutes } from './routes/groups.ts'
import { identityProviderRoutes } from './routes/identity-providers.ts'
import { impliedRoleRoutes } from './routes/implied-roles.ts'
import { limitRoutes } from './routes/limits.ts'
import { mappingRoutes } from './routes/mappings.ts'
import { oauthRoutes } from './routes/oauth.ts'
import { policyRoutes } from './routes/policies.ts'
import { policyAssociationRoutes } from './routes/policy-associations.ts'
import { projectEndpointRoutes } from './routes/project-endpoints.ts'
import { projectTagRoutes } from './routes/project-tags.ts'
import { projectRoutes } from './routes/projects.ts'
import { regionRoutes } from './routes/regions.ts'
import { registeredLimitRoutes } from './routes/registered-limits.ts'
import { revokeEventRoutes } from './routes/revoke-events.ts'
import { roleAssignmentRoutes } from './routes/role-assignments.ts'
import { roleRoutes } from './routes/roles.ts'
import { serviceProviderRoutes } from './routes/service-providers.ts'
import { serviceRoutes } from './routes/services.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { trustRoutes } from './routes/trusts.ts'
import { userRoutes } from './routes/users.ts'
import { v1Routes } from './routes/v1.ts'
import { v2Routes } from './routes/v2.ts'
import './db/extension-tables.ts'
import './db/federation-tables.ts'
import './db/oauth-tables.ts'
import './db/tables.ts'

export type { Project } from './db/projects.ts'
export type { AsUser } from './logic/as-user.ts'
export type { Registration } from './logic/catalog.ts'
export { importDefaults, importLimits, limitStore } from './logic/limit-store.ts'
export type { LogIn } from './logic/log-in.ts'
export type { Minted } from './logic/mint.ts'
export type { Reissued } from './logic/reissue.ts'
export type { Secrets, Seeded } from './logic/seed.ts'
export { type ProjectsDeleted, subjects as identityEvents } from './messages.ts'
export { rules as identityRules } from './policy.ts'
export { delegationRules } from './policy-delegation.ts'
export { extensionRules } from './policy-extensions.ts'
export { federationRules } from './policy-federation.ts'

export const identityMigrations: ServiceMigrations = { service: 'identity', migrations }

/** Failed log-ins of one user from one address before they must wait. */
const allowedFailures = 10
const failureWindowMs = 60_000

/** Who may do what, for every service. */
export interface IdentityService extends Service {
  /** Token → context, without a database. */
  readonly authenticate: Authenticate
  /** Where a client without a token is sent: `http://…:5000/v3`. */
  readonly identityUrl: string
  /** A token for Berth's own work in somebody's name; with the roles member and reader unless told otherwise. */
  mintToken(wanted: Minted): Promise<string>
  /** Proves who asks, as `POST /v3/auth/tokens` does, with the same limit on failures; answers a token. */
  logIn(wanted: LogIn, address: string): Promise<string>
  /** For who proved themselves before, with the roles of now. @throws CloudError kind `unauthorized` */
  reissue(wanted: Reissued): Promise<string>
  /** Signs and seals with new keys from now on; answers those that sign, the newest first. Older tokens stay good. */
  rotateKeys(): readonly { kid: string; madeAtMs: number }[]
  /** Whom a token of that user would stand for, without one being made: for explaining a verdict. */
  contextAs(wanted: AsUser): Promise<Context>
  /** Puts a service into the catalog, in this cloud's region. Repeatable. */
  register(wanted: Registration): Promise<void>
  readonly projects: {
    find(db: Db, id: string): Promise<projectRows.Project | undefined>
    exists(db: Db, id: string): Promise<boolean>
    /** Of every domain, in a steady order. */
    named(db: Db, name: string): Promise<projectRows.Project[]>
  }
  /** Unified limits, for the quotas of every service. */
  readonly limits: LimitStore
  /** What every cloud starts with. Repeatable: what is there stays as it is. */
  seed(secrets: Secrets): Promise<Seeded>
}

/** One per chapter of the API reference. */
const chapters = [
  tokenRoutes,
  authRoutes,
  domainRoutes,
  projectRoutes,
  projectTagRoutes,
  userRoutes,
  groupRoutes,
  roleRoutes,
  impliedRoleRoutes,
  grantRoutes,
  roleAssignmentRoutes,
  serviceRoutes,
  endpointRoutes,
  regionRoutes,
  policyRoutes,
  policyAssociationRoutes,
  endpointGroupRoutes,
  projectEndpointRoutes,
  domainConfigRoutes,
  registeredLimitRoutes,
  limitRoutes,
  consumerRoutes,
  oauthRoutes,
  credentialRoutes,
  ec2CredentialRoutes,
  ec2TokenRoutes,
  applicationCredentialRoutes,
  accessRuleRoutes,
  trustRoutes,
  identityProviderRoutes,
  federationProtocolRoutes,
  mappingRoutes,
  serviceProviderRoutes,
  federatedAuthRoutes,
  revokeEventRoutes,
]

/** Identity API v3. Source: Identity API reference, v3. */
export async function createIdentity(ground: Ground): Promise<IdentityService> {
  const { config, database, bus, clock, log } = ground
  const tokenMs = config.tokenHours * 3_600_000
  const revocations = createRevocations(clock, tokenMs)
  const keys = openTokenKeys(join(config.stateDir, 'keys'), clock)
  const tokens = createTokens(keys, revocations, clock)
  const secretBox = openSecretBox(join(config.stateDir, 'keys'), 'credential', clock)
  const failures = createFailureLimit(clock, allowedFailures, failureWindowMs)
  const compliance = config.securityCompliance
  const kept = createKept(database, version.read)
  const { federation } = config
  const deps: Deps = {
    ...{ database, kept, clock, bus, log, tokens, revocations, secretBox, tokenMs, compliance, federation, failures },
  }

  const identityUrl = `${urlOf(config, 'identity')}/v3`
  const app = createApp({
    service: 'identity',
    dialect: identityFault,
    policy: createPolicy(
      [rules, extensionRules, delegationRules, federationRules],
      ground.policyOverrides,
      ground.config,
    ),
    authenticate: tokens.authenticate,
    identityUrl,
    log,
  })
  discoveryRoutes(app)
  for (const routes of chapters) routes(app, deps)
  if (config.identityV2) for (const routes of [v2Routes, v1Routes]) routes(app, deps)

  const sync = revocationReconciler(deps)
  const keyLoop = signingKeyReconciler(keys, tokenMs)
  let unsubscribe: (() => void) | null = null
  return {
    name: 'identity',
    app,
    loops: [sync, keyLoop, membershipReconciler(deps), sealedSecretsReconciler(deps)],
    async start() {
      unsubscribe = bus.subscribe<Revoked>(subjects.revoked, ({ revocations: news }) => {
        for (const revocation of news) revocations.add(revocation)
      })
      await sync.run(new AbortController().signal) // before the first request: what was revoked stays revoked
      await register(database, config.region, { type: 'identity', name: 'keystone', url: identityUrl })
    },
    async stop() {
      unsubscribe?.()
    },
    authenticate: tokens.authenticate,
    identityUrl,
    mintToken: (wanted) => mint(deps, wanted),
    logIn: async (wanted, address) => tokens.issue(await logIn(deps, wanted, address)),
    reissue: (wanted) => reissue(deps, wanted),
    rotateKeys() {
      keys.rotate()
      secretBox.rotate()
      ground.nudge('identity.sealed-secrets') // what the older key sealed is sealed anew at once
      return keys.list()
    },
    contextAs: (wanted) => contextAs(deps, wanted),
    register: (wanted) => register(database, config.region, wanted),
    projects: {
      find: projectRows.find,
      exists: async (db, id) => (await projectRows.find(db, id)) !== undefined,
      named: projectRows.named,
    },
    limits: limitStore(config.region),
    seed: (secrets) => seed(deps, secrets),
  }
}
