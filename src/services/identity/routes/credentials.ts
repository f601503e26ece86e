import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as credentialRows from '../db/credentials.ts'
import * as credentials from '../logic/credentials.ts'
import { refuseDelegated } from '../logic/delegated.ts'
import type { Deps } from '../logic/deps.ts'
import { must } from '../logic/refusals.ts'
import { extraOf, Id, listed, OptionalId, pageOf, sameId, selfLink } from './shapes.ts'

const known = ['blob', 'type', 'user_id', 'project_id']
const Kind = Type.String({ minLength: 1, maxLength: 255 })
const NewCredential = Type.Object({
  blob: Type.String(),
  type: Kind,
  user_id: Id,
  project_id: Type.Optional(OptionalId),
})
const CredentialChange = Type.Object({
  blob: Type.Optional(Type.String()),
  type: Type.Optional(Kind),
  user_id: Type.Optional(Id),
  project_id: Type.Optional(OptionalId),
})

const targetOf = (userId: string | undefined) =>
  userId === undefined ? {} : { 'target.credential.user_id': userId, user_id: userId }

const view = (request: FastifyRequest) => (credential: credentials.Credential) => ({
  ...credential.extra,
  id: credential.id,
  user_id: credential.userId,
  project_id: credential.projectId,
  type: credential.type,
  blob: credential.blob,
  links: selfLink(request, `credentials/${credential.id}`),
})

/** Source: Identity API reference, "Credentials". */
export function credentialRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const params = Type.Object({ id: Type.String() })
  const rule = (name: string) => ({ policy: `identity:${name}_credential`, check: 'handler' }) as const

  const list = { policy: 'identity:list_credentials', check: 'handler' } as const
  app.get('/v3/credentials', { config: list }, async (request) => {
    const { ctx } = request
    request.enforce(ctx.system ? {} : targetOf(ctx.userId))
    refuseDelegated(ctx)
    // Who may not see everybody's need not have everybody's read.
    const own = { column: 'user_id', operator: 'equals', value: ctx.userId } as const
    const all = request.can({}, 'identity:get_credential')
    const columns = { user_id: { column: 'user_id' }, type: { column: 'type' } }
    const rows = await credentialRows.list(db, pageOf(request, columns, all ? [] : [own]))
    return listed(request, 'credentials', rows, (row) => view(request)(credentials.opened(deps, row)))
  })

  app.post(
    '/v3/credentials',
    { config: rule('create'), schema: { body: Type.Object({ credential: NewCredential }) } },
    async (request, reply) => {
      const wanted = request.body.credential
      request.enforce(targetOf(wanted.user_id))
      refuseDelegated(request.ctx)
      const credential = await credentials.create(deps, {
        id: newHexId(),
        userId: wanted.user_id,
        projectId: wanted.project_id ?? null,
        type: wanted.type,
        blob: wanted.blob,
        extra: extraOf(wanted, known),
      })
      return reply.code(201).send({ credential: view(request)(credential) })
    },
  )

  /** The credential of the path, once the caller may do this with it. */
  const permitted = async (request: FastifyRequest, id: string) => {
    const row = await credentialRows.find(db, id)
    request.enforce(targetOf(row?.userId))
    refuseDelegated(request.ctx)
    return must(row, 'credential', id)
  }

  app.get('/v3/credentials/:id', { config: rule('get'), schema: { params } }, async (request) => ({
    credential: view(request)(credentials.opened(deps, await permitted(request, request.params.id))),
  }))

  app.patch(
    '/v3/credentials/:id',
    { config: rule('update'), schema: { params, body: Type.Object({ credential: CredentialChange }) } },
    async (request) => {
      const { id } = await permitted(request, request.params.id)
      const { blob, type, user_id, project_id } = request.body.credential
      sameId(request.body.credential, id, 'Credential')
      if (user_id !== undefined) request.enforce(targetOf(user_id)) // not into somebody else's hands
      const credential = await credentials.update(deps, id, {
        ...(blob === undefined ? {} : { blob }),
        ...(type === undefined ? {} : { type }),
        ...(user_id === undefined ? {} : { userId: user_id }),
        ...(project_id === undefined ? {} : { projectId: project_id }),
      })
      return { credential: view(request)(credential) }
    },
  )

  app.delete('/v3/credentials/:id', { config: rule('delete'), schema: { params } }, async (request, reply) => {
    const { id } = await permitted(request, request.params.id)
    await credentials.remove(deps, id)
    return reply.code(204).send()
  })
}
