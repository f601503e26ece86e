import type { Delegation } from '../../../platform/auth/delegation.ts'
import { verifyPassword } from '../../../platform/auth/passwords.ts'
import type { Claims } from '../../../platform/auth/token-codec.ts'
import { newAuditId } from '../../../platform/auth/tokens.ts'
import type { Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as accessRuleRows from '../db/access-rules.ts'
import * as credentialRows from '../db/application-credentials.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import { hashMadeSecret } from './application-credentials.ts'
import type { Deps } from './deps.ts'
import { sameText } from './ec2-signatures.ts'
import { rolesIn, withImplied } from './effective-roles.ts'
import { TooManyFailures } from './failures.ts'
import { badRequest, unauthorized } from './refusals.ts'
import { findUser, stillThere, type UserRef, usable } from './who.ts'

/** Which credential: by id, or by name and user. */
export interface ApplicationCredentialProof {
  readonly id?: string
  readonly name?: string
  readonly user?: UserRef
  readonly secret: string
}

/**
 * The roles that the credential was given and the user still has, in its project.
 * Source: Identity API reference, "Authenticating with an application credential".
 * @throws CloudError kind `unauthorized` without a word on what was wrong.
 */
export async function byApplicationCredential(
  deps: Deps,
  proof: ApplicationCredentialProof,
  scopeAsked: boolean,
  address: string,
): Promise<Claims> {
  if (scopeAsked)
    throw new CloudError(
      'unauthorized',
      'Error authenticating with application credential: Application credentials cannot request a scope.',
    )
  if (!proof.id && !(proof.name && proof.user))
    throw badRequest('Expecting to find id, or name and user, in application_credential.')
  const db = deps.database.read
  const key = JSON.stringify(['application_credential', proof.id ?? [proof.name, proof.user], address])
  const wait = deps.failures.retryAfterSeconds(key)
  if (wait > 0) throw new TooManyFailures(wait)
  const found = await findCredential(db, proof)
  if (!(await isRight(proof.secret, found?.secretHash ?? null)) || !found) {
    deps.failures.fail(key)
    throw unauthorized()
  }
  deps.failures.forget(key)
  const atMs = deps.clock.nowMs()
  const credential = await credentialRows.find(db, found.id) // deleted while we computed?
  const endMs = credential?.expiresAt ? Date.parse(credential.expiresAt) : Number.POSITIVE_INFINITY
  if (!credential || endMs <= atMs) throw unauthorized()
  const user = await stillThere(db, credential.userId)
  const project = await projectRows.find(db, credential.projectId)
  const scope = project && (await usable(db, project))
  const given = new Set(withImplied(await roleRows.implications(db), credential.roleIds))
  const roles = scope ? (await rolesIn(db, user.id, scope)).filter(({ id }) => given.has(id)) : []
  if (!scope || roles.length === 0) throw unauthorized()
  return {
    userId: user.id,
    userName: user.name,
    userDomainId: user.domainId,
    scope,
    roles: roles.map(({ id, name }) => ({ id, name })),
    methods: ['application_credential'],
    auditIds: [newAuditId()],
    issuedAtMs: atMs,
    expiresAtMs: Math.min(atMs + deps.tokenMs, endMs),
    delegation: await delegationOf(db, credential),
  }
}

async function findCredential(db: Db, { id, name, user }: ApplicationCredentialProof) {
  if (id) return credentialRows.find(db, id)
  const owner = user && (await findUser(db, user))
  return owner && credentialRows.findByName(db, owner.id, name ?? '')
}

async function isRight(secret: string, hash: string | null): Promise<boolean> {
  return hash?.startsWith('sha256:') ? sameText(hashMadeSecret(secret), hash) : verifyPassword(secret, hash)
}

async function delegationOf(db: Db, credential: credentialRows.ApplicationCredential): Promise<Delegation> {
  const rules = (await accessRuleRows.ofCredentials(db, [credential.id])).get(credential.id)
  return {
    kind: 'application_credential',
    id: credential.id,
    name: credential.name,
    restricted: !credential.unrestricted,
    ...(rules ? { accessRules: rules.map(({ service, method, path }) => ({ service, method, path })) } : {}),
  }
}
