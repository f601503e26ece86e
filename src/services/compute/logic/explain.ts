import { CloudError, NotFound } from '../../../platform/errors.ts'
import * as decisionRows from '../db/decisions.ts'
import * as serverRows from '../db/servers.ts'
import { type Decision, decisionLines } from './decisions.ts'
import type { Deps } from './deps.ts'
import { statusOf } from './states.ts'

export interface Explanation {
  id: string
  name: string
  status: string
  host: string | null
  /** To be printed. */
  lines: string[]
}

/** Why a server is where it is, or nowhere. @throws CloudError `notFound`, `conflict` for several of a name */
export async function explain({ ground }: Deps, named: string): Promise<Explanation> {
  const { read } = ground.database
  const byId = await serverRows.findEvenDeleted(read, named)
  const found = byId ? [byId] : await serverRows.listNamed(read, named, 2)
  const [server] = found
  if (!server) throw new NotFound('Instance', named)
  if (found.length > 1) throw new CloudError('conflict', `Several servers are called ${named}: give the id of one.`)
  const decision = (await decisionRows.find(read, server.id)) as Decision | undefined
  const { id, name, host, fault } = server
  const why = decision ? decisionLines(decision) : ['Nothing was kept of how its host was chosen.']
  const moved = decision && decision.host !== host ? [`Since then it has come to ${host ?? 'be on no host'}.`] : []
  const fell = fault && decision?.host ? ['', `fault: ${fault.message}`] : []
  return { id, name, host, status: statusOf(server), lines: [...why, ...moved, ...fell] }
}
