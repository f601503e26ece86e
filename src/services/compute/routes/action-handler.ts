import type { FastifyReply, FastifyRequest } from 'fastify'
import { type TSchema, Type } from 'typebox'
import type { Server } from '../db/servers.ts'
import type { Deps } from '../logic/deps.ts'
import * as actions from '../logic/server-actions.ts'
import { requireUntil } from './common.ts'

/** What one key of the action's body asks for. */
export interface ActionHandler {
  policy: string
  schema: TSchema
  run(deps: Deps, request: FastifyRequest, reply: FastifyReply, server: Server, value: never): Promise<unknown>
}

export type ActionHandlers = Readonly<Record<string, ActionHandler>>

export const strict = { additionalProperties: false }

export interface Doing {
  /** Of the value under the action's key; whatever stands there unless told. */
  schema?: TSchema
  status?: number
  /** The last microversion that has it. */
  until?: string
}

/** An action that answers with a status and what `run` gives: nothing, for most. */
export const does = <T = unknown>(
  rule: string,
  run: (deps: Deps, request: FastifyRequest, server: Server, value: T) => Promise<unknown>,
  { schema = Type.Unknown(), status = 202, until }: Doing = {},
): ActionHandler => ({
  policy: `os_compute_api:${rule}`,
  schema,
  async run(deps, request, reply, server, value: T) {
    if (until !== undefined) requireUntil(request, until)
    return reply.code(status).send(await run(deps, request, server, value))
  },
})

/** A change of state by the table in `logic/states.ts`. */
export const moves = (rule: string, name: Parameters<typeof actions.act>[3]): ActionHandler =>
  does(rule, (deps, request, server) => actions.act(deps, request.ctx, server.id, name))
