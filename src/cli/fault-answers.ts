import { CloudError } from '../platform/errors.ts'
import { armFault, isFaultArmed } from '../platform/faults.ts'
import type { Answers } from './control-socket.ts'
import { type EnginePaths, findEngine } from './own-engine.ts'

/** What `arm-fault` is told: a fault point, and what dies there. */
export interface FaultOrder {
  point: string
  victim: 'process' | 'engine'
}

/** For tests, on the control socket: `arm-fault` names the step to die at; `fault-armed` tells whether it is still to come. */
export const faultAnswers = (engine: () => EnginePaths | null): Answers => ({
  'arm-fault': async (said) => {
    const { point, victim } = said as FaultOrder
    armFault(point, victim === 'engine' ? enginePid(engine()) : process.pid)
    return {}
  },
  'fault-armed': async () => ({ armed: isFaultArmed() }),
})

function enginePid(own: EnginePaths | null): number {
  const pid = own ? findEngine(own) : undefined
  if (pid === undefined) throw new CloudError('unavailable', 'no engine of this cloud runs')
  return pid
}
