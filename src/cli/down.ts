import { CloudError } from '../platform/errors.ts'
import { type Call, configOf } from './call.ts'
import { gone, signal } from './processes.ts'
import { findPid } from './state.ts'

/** Longest wait for requests and loops under way. */
const graceMs = 60_000

/** Ends the running process in an orderly way; false when none runs. @throws CloudError when it does not end. */
export async function stopServices(stateDir: string): Promise<boolean> {
  const pid = findPid(stateDir)
  if (pid === undefined) return false
  signal(pid, 'SIGTERM')
  if (!(await gone(pid, graceMs)))
    throw new CloudError('unavailable', `process ${pid} was asked to end and has not within ${graceMs / 1000} s`)
  return true
}

/** `berth down`: servers and the engine go on. */
export async function run(call: Call): Promise<number> {
  const { stateDir } = configOf(call)
  const stopped = await stopServices(stateDir)
  call.out(
    stopped ? 'stopped; servers go on running, and are taken over by the next berth up' : `nothing runs in ${stateDir}`,
  )
  return 0
}
