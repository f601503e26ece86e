import type { FastifyRequest } from 'fastify'
import type { Target } from '../../../platform/auth/policy.ts'
import type { Db } from '../../../platform/db/database.ts'
import * as networkRows from '../db/networks.ts'
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
  return things.map((thing) => {
    const network = networks.get(thing.network_id)
    const creating = thing.id === undefined
    if (!network) {
      if (creating) throw networkNotFound(thing.network_id)
      return {}
    }
    const target = {
      'network:tenant_id': network.project_id,
      'network:project_id': network.project_id,
      shared: network.shared === 1,
    }
    if (creating) {
      const owner = { project_id: network.project_id, tenant_id: network.project_id }
      const open = { shared: network.shared === 1, 'router:external': network.external === 1 }
      if (!request.can({ ...owner, ...open }, 'get_network')) throw networkNotFound(network.id)
    }
    return target
  })
}
