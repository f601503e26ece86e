import { hashPassword, verifyPassword } from '../../../platform/auth/passwords.ts'
import { isoOf } from '../../../platform/clock.ts'
import * as applicationCredentialRows from '../db/application-credentials.ts'
import * as assignmentRows from '../db/assignments.ts'
import * as delegationRows from '../db/delegations.ts'
import * as recordRows from '../db/password-records.ts'
import * as projectRows from '../db/projects.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from './deps.ts'
import { TooManyFailures } from './failures.ts'
import * as lockout from './lockout.ts'
import * as passwordRules from './password-rules.ts'
import { badRequest, conflict, must, notFound, unauthorized } from './refusals.ts'
import { writeRevoking } from './revoking.ts'

export type User = userRows.User

/** What a user is made of, as the API gives it; a password of null cannot be logged in with. */
export type NewUser = Pick<User, 'id' | 'domainId' | 'name' | 'enabled' | 'defaultProjectId' | 'options' | 'extra'> & {
  readonly password: string | null
}
export type Change = Partial<Omit<NewUser, 'id' | 'domainId'>>

/** @throws CloudError when the domain is missing or the name taken. */
export async function create(deps: Deps, { password, ...wanted }: NewUser): Promise<User> {
  if (password !== null) passwordRules.checkStrength(deps.compliance, password)
  const passwordHash = password === null ? null : await hashPassword(password)
  const nowMs = deps.clock.nowMs()
  const at = isoOf(nowMs)
  return deps.database.write(async (trx) => {
    if (!(await projectRows.find(trx, wanted.domainId))?.isDomain) throw notFound('domain', wanted.domainId)
    await checkDefaultProject(trx, wanted.defaultProjectId)
    const user: User = {
      ...wanted,
      passwordHash,
      passwordCreatedAt: passwordHash === null ? null : at,
      passwordExpiresAt:
        passwordHash === null ? null : passwordRules.expiryOf(deps.compliance, wanted.options, nowMs, false),
      createdAt: at,
    }
    if (!(await userRows.insert(trx, user))) throw nameTaken(user)
    return user
  })
}

/** A user switched off, or given another password, is logged out everywhere. */
export async function update(deps: Deps, id: string, { password, ...change }: Change, byUser = false): Promise<User> {
  if (typeof password === 'string') passwordRules.checkStrength(deps.compliance, password)
  const passwordHash = typeof password === 'string' ? await hashPassword(password) : null
  const nowMs = deps.clock.nowMs()
  const at = isoOf(nowMs)
  return writeRevoking(deps, async (trx, revoke) => {
    const was = must(await userRows.find(trx, id), 'user', id)
    const none = { passwordHash: null, passwordCreatedAt: null, passwordExpiresAt: null }
    const options = change.options ?? was.options
    const passwordExpiresAt = passwordRules.expiryOf(deps.compliance, options, nowMs, byUser)
    const renewed =
      password === undefined
        ? {}
        : passwordHash === null
          ? none
          : { passwordHash, passwordCreatedAt: at, passwordExpiresAt }
    if (password !== undefined) await passwordRules.remember(deps, trx, was, nowMs)
    // An administrator who gives another password, or switches the user on, opens a lock.
    if (password !== undefined || change.enabled === true) await recordRows.forgetFailures(trx, id)
    const now: User = { ...was, ...change, ...renewed }
    if (now.defaultProjectId !== was.defaultProjectId) await checkDefaultProject(trx, now.defaultProjectId)
    if (now.name !== was.name && (await userRows.findByName(trx, was.domainId, now.name))) throw nameTaken(now)
    await userRows.update(trx, now)
    if (was.enabled && !now.enabled) await applicationCredentialRows.removeOfUsers(trx, [id]) // as upstream does
    if ((was.enabled && !now.enabled) || password !== undefined) revoke({ userId: id })
    return now
  })
}

async function checkDefaultProject(trx: Parameters<typeof projectRows.find>[0], id: string | null): Promise<void> {
  // A project that does not exist is accepted, as upstream does: it is ignored at log-in.
  if (id !== null && (await projectRows.find(trx, id))?.isDomain)
    throw badRequest(`User's default project ID cannot be a domain ID: ${id}`)
}

const nameTaken = (user: User) =>
  conflict('user', `Duplicate entry found with name ${user.name} at domain ID ${user.domainId}`)

/**
 * The user's own change, by whoever knows the password; no token is asked for, so that an expired password can be
 * changed too. @throws CloudError kind `unauthorized`, as a log-in does.
 */
export async function changePassword(
  deps: Deps,
  id: string,
  passwords: { original: string; next: string },
  address: string,
): Promise<void> {
  const key = JSON.stringify([id, address])
  const wait = deps.failures.retryAfterSeconds(key)
  if (wait > 0) throw new TooManyFailures(wait)
  const user = await userRows.find(deps.database.read, id)
  if (user) await lockout.refuseLocked(deps, user)
  const hash = user?.passwordHash ?? null
  if (!(await verifyPassword(passwords.original, hash)) || !user?.enabled) {
    deps.failures.fail(key)
    if (user?.enabled) await lockout.countFailure(deps, user)
    throw unauthorized()
  }
  deps.failures.forget(key)
  await lockout.refuseLocked(deps, user) // by guesses that ran beside this one
  if (user.options.lock_password === true)
    throw badRequest(
      'You cannot change your password at this time due to password policy disallowing password changes. Please contact your administrator to reset your password.',
    )
  if (passwords.next === passwords.original)
    throw badRequest('The new password cannot be identical to a previous password.')
  passwordRules.checkStrength(deps.compliance, passwords.next)
  passwordRules.checkAge(deps.compliance, user, deps.clock.nowMs())
  await passwordRules.checkHistory(deps, user, passwords.next)
  await update(deps, id, { password: passwords.next }, true)
}

/** With memberships and assignments; the user's tokens die. */
export async function remove(deps: Deps, id: string): Promise<void> {
  await writeRevoking(deps, async (trx, revoke) => {
    must(await userRows.find(trx, id), 'user', id)
    await assignmentRows.removeOfActors(trx, [id])
    await delegationRows.removeOfUsers(trx, [id])
    await userRows.remove(trx, [id])
    revoke({ userId: id })
  })
}
