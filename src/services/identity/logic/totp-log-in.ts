import * as credentialRows from '../db/credentials.ts'
import type { User } from '../db/users.ts'
import { opened } from './credentials.ts'
import type { Deps } from './deps.ts'
import { TooManyFailures } from './failures.ts'
import { badRequest, unauthorized } from './refusals.ts'
import { isPasscode } from './totp.ts'
import { findUser, stillThere, type UserRef } from './who.ts'

export type TotpUser = UserRef & { readonly passcode: string }

/**
 * By a passcode of one of the user's credentials of type `totp`. Passcodes are short: failures are limited as those of
 * passwords are. Source: Keystone documentation, "Time-based One-time Password (TOTP)".
 */
export async function byPasscode(deps: Deps, sent: TotpUser, address: string): Promise<User> {
  const { database, failures, clock } = deps
  if (!sent.id && !(sent.name && sent.domain)) throw badRequest('Expecting to find domain in user.')
  const found = await findUser(database.read, sent)
  // By who it is, where it is somebody: guesses by id and by name are guesses at the same secret.
  const key = JSON.stringify(['totp', found?.id ?? [sent.name, sent.domain?.id, sent.domain?.name], address])
  const wait = failures.retryAfterSeconds(key)
  if (wait > 0) throw new TooManyFailures(wait)
  const credentials = found ? await credentialRows.listOfUser(database.read, found.id, 'totp') : []
  const right = credentials.some((row) => isPasscode(opened(deps, row).blob, sent.passcode, clock.nowMs()))
  if (!found || !right) {
    failures.fail(key)
    throw unauthorized()
  }
  failures.forget(key)
  return stillThere(database.read, found.id)
}
