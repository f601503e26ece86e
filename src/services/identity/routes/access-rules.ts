import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import * as accessRuleRows from '../db/access-rules.ts'
import * as userRows from '../db/users.ts'
import { refuseDelegatedMaking } from '../logic/delegated.ts'
import type { Deps } from '../logic/deps.ts'
import { forbidden, must } from '../logic/refusals.ts'
import { targetOf } from './scopes.ts'
import { listed, pageOf, selfLink } from './shapes.ts'

const filters = { service: { column: 'service' }, path: { column: 'path' }, method: { column: 'method' } } as const

const view = (request: FastifyRequest) => (rule: accessRuleRows.AccessRule) => ({
  id: rule.id,
  service: rule.service,
  method: rule.method,
  path: rule.path,
  links: selfLink(request, `users/${rule.userId}/access_rules/${rule.id}`),
})

/** Made with application credentials, kept for further ones. Source: Identity API reference, "Access rules". */
export function accessRuleRoutes(app: App, { database }: Deps): void {
  const db = database.read
  const path = '/v3/users/:user/access_rules'
  const params = Type.Object({ user: Type.String() })
  const oneParams = Type.Object({ user: Type.String(), id: Type.String() })
  const rule = (name: string) => ({ policy: `identity:${name}`, check: 'handler' }) as const

  const permitted = async (request: FastifyRequest, userId: string) => {
    request.enforce(targetOf('user', await userRows.find(db, userId)))
    refuseDelegatedMaking(request.ctx, false)
  }
  const find = async ({ user, id }: { user: string; id: string }) => {
    const found = await accessRuleRows.find(db, id)
    return must(found?.userId === user ? found : undefined, 'Access Rule', id)
  }

  app.get(path, { config: rule('list_access_rules'), schema: { params } }, async (request) => {
    await permitted(request, request.params.user)
    const found = await accessRuleRows.list(db, request.params.user, pageOf(request, filters))
    return listed(request, 'access_rules', found, view(request))
  })
  app.get(`${path}/:id`, { config: rule('get_access_rule'), schema: { params: oneParams } }, async (request) => {
    await permitted(request, request.params.user)
    return { access_rule: view(request)(await find(request.params)) }
  })
  app.delete(
    `${path}/:id`,
    { config: rule('delete_access_rule'), schema: { params: oneParams } },
    async (request, reply) => {
      await permitted(request, request.params.user)
      const { id } = await find(request.params)
      await database.write(async (trx) => {
        if (await accessRuleRows.isInUse(trx, id)) throw forbidden('May not delete access rule in use')
        await accessRuleRows.remove(trx, id)
      })
      return reply.code(204).send()
    },
  )
}
