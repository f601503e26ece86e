import type { FastifyReply, FastifyRequest } from 'fastify'
import { type TSchema, Type } from 'typebox'
import type { Server } from '../db/servers.ts'
import type { Deps } from '../logic/deps.ts'
import * as actions from '../logic/server-actions.ts'

/** What one key of the action's body asks for. */
export interface ActionHandler {
  policy: string
  schema: TSchema
  run(deps: Deps, request: FastifyRequest, reply: FastifyReply, server: Server, value: never): Promise<unknown>
}

export type ActionHandlers = Readonly<Record<string, ActionHandler>>

export const strict = { additionalProperties: false }

/** An action without a value that is a change of state. */
export const simple = (policy: string, name: Parameters<typeof actions.act>[3]): ActionHandler => ({
  policy: `os_compute_api:${policy}`,
  schema: Type.Unknown(),
  async run(deps, request, reply, server) {
    await actions.act(deps, request.ctx, server.id, name)
    return reply.code(202).send()
  },
})
