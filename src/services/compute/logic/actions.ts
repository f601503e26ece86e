import type { Context } from '../../../platform/auth/context.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as actionRows from '../db/actions.ts'

/**
 * Records what somebody asked of servers, each with an event that the host's report will close. Gives the action's id
 * by server. Without `event` the action is done as soon as it is recorded.
 * Source: Compute API reference, "Servers actions (servers, os-instance-actions)".
 */
export async function record(
  trx: Trx,
  ctx: Context,
  servers: readonly { id: string; projectId: string; host: string | null }[],
  { action, event, at }: { action: string; event: string | null; at: string },
): Promise<Map<string, string>> {
  const ids = new Map(servers.map((server) => [server.id, newId()]))
  await actionRows.insert(
    trx,
    servers.map((server) => ({
      id: ids.get(server.id)!,
      server_id: server.id,
      request_id: ctx.requestId,
      action,
      user_id: ctx.userId,
      project_id: ctx.projectId ?? server.projectId,
      message: null,
      started_at: at,
      updated_at: at,
    })),
  )
  if (event !== null) {
    await actionRows.begin(
      trx,
      servers.map((server) => ({ action_id: ids.get(server.id)!, event, host: server.host, started_at: at })),
    )
  }
  return ids
}
