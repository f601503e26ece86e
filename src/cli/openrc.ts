import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { CloudError } from '../platform/errors.ts'
import { type Call, configOf } from './call.ts'
import { statePaths } from './state.ts'

/** `berth openrc [USER]`: what `up` wrote for that user, `admin` when none is named. */
export async function run(call: Call): Promise<number> {
  const { stateDir } = configOf(call)
  const user = call.operand ?? 'admin'
  const path = statePaths(stateDir).openrc(user)
  if (!user.includes('/') && existsSync(path)) {
    call.out(readFileSync(path, 'utf8').trimEnd())
    return 0
  }
  const known = existsSync(stateDir)
    ? readdirSync(stateDir).flatMap((name) => /^(.+)-openrc$/.exec(name)?.[1] ?? [])
    : []
  throw new CloudError(
    'notFound',
    known.length === 0
      ? `there is no cloud in ${stateDir}; run: berth up`
      : `no password is kept for ${user}, only for ${known.join(', ')}; others' passwords are known to them alone`,
  )
}
