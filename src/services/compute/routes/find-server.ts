import type { FastifyRequest } from 'fastify'
import { NotFound } from '../../../platform/errors.ts'
import * as serverRows from '../db/servers.ts'
import type { Deps } from '../logic/deps.ts'

export const targetOf = ({ projectId, userId }: Pick<serverRows.Server, 'projectId' | 'userId'>) => ({
  project_id: projectId,
  user_id: userId,
})

/**
 * The server that a path names, if the rule (the route's unless told otherwise) allows it to the caller.
 * @throws NotFound also for another project's server, whose existence is not ours to tell
 */
export async function findServer(
  { ground: { database } }: Deps,
  request: FastifyRequest,
  id: string,
  { rule, evenDeleted = false }: { rule?: string; evenDeleted?: boolean } = {},
): Promise<serverRows.Server> {
  const { read } = database
  const server = evenDeleted ? await serverRows.findEvenDeleted(read, id) : await serverRows.find(read, id)
  const { ctx } = request
  if (!server || (server.projectId !== ctx.projectId && !ctx.isAdmin)) {
    throw new NotFound('Instance', id)
  }
  request.enforce(targetOf(server), rule)
  return server
}
