import type { Context } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { Server } from '../db/servers.ts'

/** @throws CloudError `conflict`: an administrator may touch what its owner has locked, others may not */
export function checkLock(ctx: Context, server: Server): void {
  if (server.lockedBy !== null && !ctx.isAdmin) throw new CloudError('conflict', `Instance ${server.id} is locked`)
}

/** @throws CloudError `conflict` */
export function checkState(
  server: Server,
  action: string,
  from: readonly Server['vmState'][],
  tasks: readonly string[] = [],
): void {
  // One that never found a host has nothing to be started or stopped.
  if (!from.includes(server.vmState) || server.host === null) refuseState(server, action, 'vm_state', server.vmState)
  if (server.taskState !== null && !tasks.includes(server.taskState)) {
    refuseState(server, action, 'task_state', server.taskState)
  }
}

/** @throws CloudError `conflict` */
export function refuseState(
  server: Server,
  action: string,
  attribute: 'vm_state' | 'task_state',
  state: string,
): never {
  throw new CloudError('conflict', `Cannot '${action}' instance ${server.id} while it is in ${attribute} ${state}`)
}
