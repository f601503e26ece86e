import { verifyPassword } from '../../../platform/auth/passwords.ts'
import { isoOf } from '../../../platform/clock.ts'
import type { SecurityCompliance } from '../../../platform/config.ts'
import type { Trx } from '../../../platform/db/database.ts'
import * as recordRows from '../db/password-records.ts'
import type { User } from '../db/users.ts'
import type { Deps } from './deps.ts'
import { badRequest } from './refusals.ts'

const dayMs = 24 * 3_600_000

/** Whoever sets it. Source: Keystone documentation, "Security compliance and PCI-DSS", as the rest of this file. */
export function checkStrength({ passwordRegex, passwordRegexDescription }: SecurityCompliance, password: string): void {
  if (passwordRegex !== '' && !new RegExp(`^(?:${passwordRegex})`).test(password))
    throw badRequest(`The password does not match the requirements: ${passwordRegexDescription || passwordRegex}.`)
}

/** When a password set now must be changed; null: never. One that somebody else set may have to be changed at once. */
export function expiryOf(
  { passwordExpiresDays, changePasswordUponFirstUse }: SecurityCompliance,
  options: User['options'],
  nowMs: number,
  byUser: boolean,
): string | null {
  if (!byUser && changePasswordUponFirstUse && options.ignore_change_password_upon_first_use !== true)
    return isoOf(nowMs)
  if (passwordExpiresDays === 0 || options.ignore_password_expiry === true) return null
  return isoOf(nowMs + passwordExpiresDays * dayMs)
}

export const isExpired = ({ passwordExpiresAt, options }: User, now: string): boolean =>
  passwordExpiresAt !== null && passwordExpiresAt <= now && options.ignore_password_expiry !== true

/** A user does not run through passwords until an old one is free again. An expired one must be changed. */
export function checkAge({ minimumPasswordAgeDays: days }: SecurityCompliance, user: User, nowMs: number): void {
  if (days === 0 || user.passwordCreatedAt === null || isExpired(user, isoOf(nowMs))) return
  const leftMs = Date.parse(user.passwordCreatedAt) + days * dayMs - nowMs
  if (leftMs > 0)
    throw badRequest(
      `You cannot change your password at this time due to the minimum password age. Once you change your password, it must be used for ${days} day(s) before it can be changed. Please try again in ${Math.floor(leftMs / dayMs)} day(s) or contact your administrator to reset your password.`,
    )
}

/** The present password counts as the first of the former ones. */
export async function checkHistory({ database, compliance }: Deps, user: User, password: string): Promise<void> {
  const count = compliance.uniqueLastPasswordCount
  if (count === 0) return
  const former = count > 1 ? await recordRows.former(database.read, user.id, count - 1) : []
  for (const hash of [user.passwordHash, ...former])
    if (hash !== null && (await verifyPassword(password, hash)))
      throw badRequest(
        `The new password cannot be identical to a previous password. The total number which includes the new password must be unique is ${count}.`,
      )
}

/** Called with what is about to be replaced. */
export async function remember({ compliance }: Deps, trx: Trx, user: User, nowMs: number): Promise<void> {
  const keep = compliance.uniqueLastPasswordCount - 1
  if (keep > 0 && user.passwordHash !== null) await recordRows.remember(trx, user.id, user.passwordHash, nowMs, keep)
}
