import { CloudError } from '../../../platform/errors.ts'
import * as recordRows from '../db/password-records.ts'
import type { User } from '../db/users.ts'
import type { Deps } from './deps.ts'

const applies = ({ compliance }: Deps, user: User): boolean =>
  compliance.lockoutFailureAttempts > 0 && user.options.ignore_lockout_failure_attempts !== true

/**
 * Source: Keystone documentation, "Security compliance and PCI-DSS", account lockout.
 * @throws CloudError kind `unauthorized` while too many wrong passwords in a row have locked the user.
 */
export async function refuseLocked(deps: Deps, user: User): Promise<void> {
  if (!applies(deps, user)) return
  const { lockoutFailureAttempts, lockoutDurationSeconds } = deps.compliance
  const { count, lastAtMs } = await recordRows.failures(deps.database.read, user.id)
  if (count < lockoutFailureAttempts) return
  if (lockoutDurationSeconds === 0 || lastAtMs + lockoutDurationSeconds * 1000 > deps.clock.nowMs())
    throw new CloudError('unauthorized', `The account is locked for user: ${user.id}.`)
}

/** After a wrong password. A lock that has run out is followed by a whole new count. */
export async function countFailure(deps: Deps, user: User): Promise<void> {
  if (!applies(deps, user)) return
  const nowMs = deps.clock.nowMs()
  const { lockoutFailureAttempts, lockoutDurationSeconds } = deps.compliance
  await deps.database.write(async (trx) => {
    const { count, lastAtMs } = await recordRows.failures(trx, user.id)
    const over = lockoutDurationSeconds > 0 && lastAtMs + lockoutDurationSeconds * 1000 <= nowMs
    if (count >= lockoutFailureAttempts && over) await recordRows.forgetFailures(trx, user.id)
    await recordRows.countFailure(trx, user.id, nowMs)
  })
}

/** After a right one. */
export async function forgetFailures(deps: Deps, user: User): Promise<void> {
  if (!applies(deps, user)) return
  const { count } = await recordRows.failures(deps.database.read, user.id)
  if (count > 0) await deps.database.write((trx) => recordRows.forgetFailures(trx, user.id))
}
