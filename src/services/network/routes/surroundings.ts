import type { FastifyRequest } from 'fastify'
import type { Target } from '../../../platform/auth/policy.ts'
import type { Db } from '../../../platform/db/database.ts'
import * as networkRows from '../db/networks.ts'
import * as rbacRows from '../db/rbac.ts'
import { seesNetwork } from '../logic/access.ts'
import { networkNotFound } from '../logic/errors.ts'

/**
 * What policy has to know of the network a subnet or port is on: its owner, and whether it is shared.
 * @throws CloudError `notFound` on a create there when the caller does not see the network
 */
export async function networksAround(
  db: Db,
  things: readonly { network_id: string; id?: string }[],
  request: FastifyRequest,
): Promise<Target[]> {
  const networks = await networkRows.byIds(db, [...new Set(things.map((thing) => thing.network_id))])
  const shared = await rbacRows.sharedAmong(db, [...networks.keys()], request.ctx.projectId)
  const caller = { projectId: request.ctx.projectId, isAdmin: request.can({}, 'context_is_admin') }
  const targets: Target[] = []
  for (const thing of things) {
    const network = networks.get(thing.network_id)
    const creating = thing.id === undefined
    if (creating && !(network && (await seesNetwork(db, caller, network)))) throw networkNotFound(thing.network_id)
    targets.push(
      network
        ? {
            'network:tenant_id': network.project_id,
            'network:project_id': network.project_id,
            shared: shared.has(network.id),
          }
        : {},
    )
  }
  return targets
}
