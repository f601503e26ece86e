import { hashPassword, needsRehash, verifyPassword } from '../../../platform/auth/passwords.ts'
import type { Claims, Federation, Scope } from '../../../platform/auth/token-codec.ts'
import { newAuditId } from '../../../platform/auth/tokens.ts'
import type { Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as projectRows from '../db/projects.ts'
import * as userRows from '../db/users.ts'
import { type ApplicationCredentialProof, byApplicationCredential } from './application-credential-log-in.ts'
import { refuseExchange } from './delegated.ts'
import type { Deps } from './deps.ts'
import { rolesIn } from './effective-roles.ts'
import { TooManyFailures } from './failures.ts'
import { stillFederated } from './federated-log-in.ts'
import * as lockout from './lockout.ts'
import { byOauth } from './oauth.ts'
import type { OauthRequest } from './oauth-signatures.ts'
import { isExpired } from './password-rules.ts'
import { checkFactors } from './receipts.ts'
import { badRequest, forbidden, notFound, unauthorized } from './refusals.ts'
import { byPasscode, type TotpUser } from './totp-log-in.ts'
import { byTrust } from './trust-log-in.ts'
import { type DomainRef, domainIdOf, findUser, stillThere, usable } from './who.ts'

/** The `auth` of a request for a token. */
export interface LogIn {
  methods: readonly string[]
  password?: { user: { id?: string; name?: string; domain?: DomainRef; password: string } } | undefined
  totp?: { user: TotpUser } | undefined
  token?: { id: string } | undefined
  application_credential?: ApplicationCredentialProof | undefined
  /** The request itself, which is signed. */
  oauth1?: OauthRequest | undefined
  /** Of an earlier log-in that proved a part of what is asked for. */
  receipt?: string | undefined
  scope?:
    | 'unscoped'
    | {
        project?: { id?: string; name?: string; domain?: DomainRef }
        domain?: DomainRef
        system?: { all?: boolean }
        unscoped?: object
        'OS-TRUST:trust'?: { id: string }
      }
    | undefined
}

/** Who it is, and what the new token takes over from an old one. */
interface Proven {
  readonly user: userRows.User
  readonly methods: readonly string[]
  readonly expiresAtMs: number
  readonly chain: readonly string[]
  readonly from: Scope | null
  readonly atMs: number
  readonly federation?: Federation
}

/**
 * Proves who asks and gives a token. `address` is where the request came from.
 * Source: Identity API reference, "Authentication and token management".
 * @throws CloudError kind `unauthorized` without a word on what was wrong.
 */
export async function logIn(deps: Deps, wanted: LogIn, address: string): Promise<Claims> {
  const claims = await claimsFor(deps, wanted, address)
  return { ...claims, methods: await checkFactors(deps, claims.userId, claims.methods, wanted.receipt) }
}

async function claimsFor(deps: Deps, { methods, scope, ...proofs }: LogIn, address: string): Promise<Claims> {
  if (methods.includes('application_credential')) {
    const proof = proofs.application_credential
    if (!proof) throw badRequest('Expecting to find application_credential in identity.')
    if (methods.some((method) => method !== 'application_credential')) throw unauthorized() // it stands alone
    return byApplicationCredential(deps, proof, scope !== undefined, address)
  }
  if (methods.includes('oauth1')) {
    if (!proofs.oauth1) throw badRequest('Expecting to find oauth1 in identity.')
    if (methods.length > 1 || scope !== undefined) throw unauthorized() // it stands alone, and brings its project
    return byOauth(deps, proofs.oauth1)
  }
  let proven: Proven | undefined
  for (const method of new Set(methods)) {
    const next =
      method === 'password' && proofs.password
        ? await byPassword(deps, proofs.password.user, address)
        : method === 'totp' && proofs.totp
          ? await byTotp(deps, proofs.totp.user, address)
          : method === 'token' && proofs.token
            ? await byToken(deps, proofs.token.id, scope)
            : refuseMethod(method)
    if (proven && proven.user.id !== next.user.id) throw unauthorized()
    proven = proven
      ? { ...next, methods: [...proven.methods, ...next.methods], atMs: Math.min(proven.atMs, next.atMs) }
      : next
  }
  if (!proven) throw unauthorized()
  return issueTo(deps, proven, scope)
}

function refuseMethod(method: string): never {
  if (['password', 'totp', 'token'].includes(method)) throw badRequest(`Expecting to find ${method} in identity.`)
  throw new CloudError('unauthorized', 'Attempted to authenticate with an unsupported method.')
}

async function issueTo(deps: Deps, proven: Proven, wanted: LogIn['scope']): Promise<Claims> {
  const trust = typeof wanted === 'object' ? wanted['OS-TRUST:trust'] : undefined
  if (trust) return byTrust(deps, proven, trust.id)
  const { user, federation } = proven
  const read = async (db: Db) => {
    const asked = await scopeOf(db, wanted)
    const scope = asked === undefined ? await defaultScope(db, user) : asked
    const roles = scope ? await rolesIn(db, user.id, scope, federation?.groupIds) : []
    if (scope && roles.length === 0) throw unauthorized()
    return { scope, roles: roles.map(({ id, name }) => ({ id, name })) }
  }
  // A guest's roles rest on what the token says, too.
  const { scope, roles } = federation
    ? await read(deps.database.read)
    : await deps.kept.get(`scope ${user.id} ${JSON.stringify(wanted)}`, read)
  return {
    userId: user.id,
    userName: user.name,
    userDomainId: user.domainId,
    scope,
    roles,
    methods: [...new Set(proven.methods)],
    auditIds: [newAuditId(), ...proven.chain],
    issuedAtMs: proven.atMs,
    expiresAtMs: proven.expiresAtMs,
    ...(federation ? { federation } : {}),
  }
}

type PasswordUser = NonNullable<LogIn['password']>['user']

/** Takes as long for a user who does not exist. Counts failures by what was sent, so that names cannot be probed. */
async function byPassword(deps: Deps, sent: PasswordUser, address: string): Promise<Proven> {
  const { database, failures, clock } = deps
  const db = database.read
  if (!sent.id && !(sent.name && sent.domain)) throw badRequest('Expecting to find domain in user.')
  const key = JSON.stringify([sent.id ?? [sent.name, sent.domain?.id, sent.domain?.name], address])
  const wait = failures.retryAfterSeconds(key)
  if (wait > 0) throw new TooManyFailures(wait)
  const found = await findUser(db, sent)
  if (found) await lockout.refuseLocked(deps, found)
  const hash = found?.passwordHash ?? null
  if (!(await verifyPassword(sent.password, hash)) || !found) {
    failures.fail(key)
    if (found) await lockout.countFailure(deps, found)
    throw unauthorized()
  }
  failures.forget(key)
  await lockout.refuseLocked(deps, found) // by guesses that ran beside this one
  const atMs = clock.nowMs()
  const user = await stillThere(db, found.id)
  if (user.passwordHash !== hash) throw unauthorized() // changed while we computed
  if (hash && needsRehash(hash)) {
    const renewed = await hashPassword(sent.password)
    await database.write((trx) => userRows.rehash(trx, user.id, hash, renewed))
  }
  if (isExpired(user, clock.now()))
    throw new CloudError('unauthorized', `The password is expired and needs to be changed for user: ${user.id}.`)
  await lockout.forgetFailures(deps, user)
  return newlyProven(deps, 'password', user, atMs)
}

async function byTotp(deps: Deps, sent: TotpUser, address: string): Promise<Proven> {
  const atMs = deps.clock.nowMs()
  return newlyProven(deps, 'totp', await byPasscode(deps, sent, address), atMs)
}

/** `atMs`: before the user was read, so that a revocation in between reaches the token. */
const newlyProven = ({ tokenMs }: Deps, method: string, user: userRows.User, atMs: number): Proven => ({
  user,
  methods: [method],
  expiresAtMs: atMs + tokenMs,
  chain: [],
  from: null,
  atMs,
})

/** The new token lives no longer than the old one, or tokens would be for ever. */
async function byToken(deps: Deps, token: string, scope: LogIn['scope']): Promise<Proven> {
  const atMs = deps.clock.nowMs()
  const claims = deps.tokens.read(token)
  if (!claims) throw notFound('token', token)
  if (claims.scope?.kind === 'system' && typeof scope === 'object' && (scope.project || scope.domain))
    throw forbidden(
      'You are not authorized to perform the requested action: Using a system-scoped token to create a project-scoped or domain-scoped token is not allowed.',
    )
  refuseExchange(claims)
  const { federation } = claims
  return {
    ...(federation ? { federation: await stillFederated(deps.database.read, federation) } : {}),
    user: await deps.kept.get(`user ${claims.userId}`, (db) => stillThere(db, claims.userId)),
    methods: ['token', ...claims.methods],
    expiresAtMs: claims.expiresAtMs,
    chain: claims.auditIds.slice(-1),
    from: claims.scope,
    atMs,
  }
}

/** Undefined: nothing was said about the scope; null: none is wanted. */
async function scopeOf(db: Db, wanted: LogIn['scope']): Promise<Scope | null | undefined> {
  if (wanted === undefined) return undefined
  if (wanted === 'unscoped' || wanted.unscoped) return null
  const { project, domain, system } = wanted
  if ([project, domain, system].filter(Boolean).length > 1)
    throw badRequest('Scope is to be one of project, domain and system.')
  if (system) {
    if (system.all !== true) throw badRequest('Expecting to find all in system.')
    return { kind: 'system' }
  }
  if (domain) {
    const id = await domainIdOf(db, domain)
    const found = id === undefined ? undefined : await projectRows.find(db, id)
    if (!found?.isDomain || !found.enabled) throw unauthorized()
    return { kind: 'domain', id: found.id, name: found.name }
  }
  if (!project) return undefined
  if (!project.id && !(project.name && project.domain)) throw badRequest('Expecting to find domain in project.')
  const domainId = project.id ? undefined : await domainIdOf(db, project.domain ?? {})
  const found = project.id
    ? await projectRows.find(db, project.id)
    : domainId === undefined
      ? undefined
      : await projectRows.findByName(db, domainId, project.name ?? '')
  const scope = found && (await usable(db, found))
  if (!scope) throw unauthorized()
  return scope
}

/** The user's default project when it is one to work in, no scope otherwise. */
async function defaultScope(db: Db, user: userRows.User): Promise<Scope | null> {
  const project = user.defaultProjectId ? await projectRows.find(db, user.defaultProjectId) : undefined
  const scope = project && (await usable(db, project))
  return scope && (await rolesIn(db, user.id, scope)).length > 0 ? scope : null
}
