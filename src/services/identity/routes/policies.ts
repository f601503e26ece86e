import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as policyRows from '../db/policies.ts'
import type { Deps } from '../logic/deps.ts'
import { must } from '../logic/refusals.ts'
import { extraOf, listed, pageOf, sameId, selfLink } from './shapes.ts'

const known = ['type', 'blob']
const PolicyType = Type.String({ maxLength: 255 })
const NewPolicy = Type.Object({ type: PolicyType, blob: Type.String() })
const PolicyChange = Type.Partial(NewPolicy, { minProperties: 1 })

export const policyView = (request: FastifyRequest) => (policy: policyRows.PolicyDocument) => ({
  ...policy.extra,
  id: policy.id,
  type: policy.type,
  blob: policy.blob,
  links: selfLink(request, `policies/${policy.id}`),
})

/** Source: Identity API reference, "Policies". */
export function policyRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const params = Type.Object({ id: Type.String() })
  const view = policyView

  app.get('/v3/policies', { config: { policy: 'identity:list_policies' } }, async (request) => {
    const page = pageOf(request, { type: { column: 'type' } })
    return listed(request, 'policies', await policyRows.list(db, page), view(request))
  })

  app.post(
    '/v3/policies',
    { config: { policy: 'identity:create_policy' }, schema: { body: Type.Object({ policy: NewPolicy }) } },
    async (request, reply) => {
      const { type, blob, ...rest } = request.body.policy
      const policy = { id: newHexId(), type, blob, extra: extraOf(rest, known) }
      await database.write((trx) => policyRows.insert(trx, policy))
      return reply.code(201).send({ policy: view(request)(policy) })
    },
  )

  app.get('/v3/policies/:id', { config: { policy: 'identity:get_policy' }, schema: { params } }, async (request) => {
    const { id } = request.params
    return { policy: view(request)(must(await policyRows.find(db, id), 'policy', id)) }
  })

  app.patch(
    '/v3/policies/:id',
    { config: { policy: 'identity:update_policy' }, schema: { params, body: Type.Object({ policy: PolicyChange }) } },
    async (request) => {
      const { id } = request.params
      const { type, blob, ...rest } = request.body.policy
      sameId(rest, id, 'Policy')
      const policy = await database.write(async (trx) => {
        const was = must(await policyRows.find(trx, id), 'policy', id)
        const now = {
          id,
          type: type ?? was.type,
          blob: blob ?? was.blob,
          extra: { ...was.extra, ...extraOf(rest, known) },
        }
        await policyRows.update(trx, now)
        return now
      })
      return { policy: view(request)(policy) }
    },
  )

  app.delete(
    '/v3/policies/:id',
    { config: { policy: 'identity:delete_policy' }, schema: { params } },
    async (request, reply) => {
      const { id } = request.params
      await database.write(async (trx) => {
        must(await policyRows.find(trx, id), 'policy', id)
        await policyRows.remove(trx, id)
      })
      return reply.code(204).send()
    },
  )
}
