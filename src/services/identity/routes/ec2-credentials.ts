import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as credentialRows from '../db/credentials.ts'
import * as projectRows from '../db/projects.ts'
import * as userRows from '../db/users.ts'
import * as credentials from '../logic/credentials.ts'
import { refuseDelegated } from '../logic/delegated.ts'
import type { Deps } from '../logic/deps.ts'
import { must } from '../logic/refusals.ts'
import { Id, selfLink } from './shapes.ts'

const targetOf = (userId: string) => ({ 'target.credential.user_id': userId, user_id: userId })

const view = (request: FastifyRequest) => (credential: credentials.Credential) => {
  const { access, secret } = credentials.ec2BlobOf(credential)
  return {
    user_id: credential.userId,
    tenant_id: credential.projectId,
    access,
    secret,
    trust_id: null,
    links: selfLink(request, `users/${credential.userId}/credentials/OS-EC2/${access}`),
  }
}

/** The same credentials as `/v3/credentials` with type `ec2`. Source: Identity API reference, "OS-EC2". */
export function ec2CredentialRoutes(app: App, deps: Deps): void {
  const db = deps.database.read
  const path = '/v3/users/:user/credentials/OS-EC2'
  const params = Type.Object({ user: Type.String() })
  const oneParams = Type.Object({ user: Type.String(), access: Type.String() })
  const rule = (name: string) => ({ policy: `identity:ec2_${name}`, check: 'handler' }) as const

  app.get(path, { config: rule('list_credentials'), schema: { params } }, async (request) => {
    const { user } = request.params
    request.enforce(targetOf(user))
    refuseDelegated(request.ctx)
    must(await userRows.find(db, user), 'user', user)
    const rows = await credentialRows.listOfUser(db, user, 'ec2')
    return {
      credentials: rows.map((row) => view(request)(credentials.opened(deps, row))),
      links: { next: null, self: `${baseUrl(request)}${request.url}`, previous: null },
    }
  })

  app.post(
    path,
    { config: rule('create_credential'), schema: { params, body: Type.Object({ tenant_id: Id }) } },
    async (request, reply) => {
      const { user } = request.params
      request.enforce(targetOf(user))
      refuseDelegated(request.ctx)
      must(await userRows.find(db, user), 'user', user)
      const projectId = request.body.tenant_id
      must(await projectRows.find(db, projectId), 'project', projectId)
      const credential = await credentials.create(deps, {
        id: newHexId(),
        userId: user,
        projectId,
        type: 'ec2',
        blob: JSON.stringify({ access: newHexId(), secret: newHexId(), trust_id: null }),
        extra: {},
      })
      return reply.code(201).send({ credential: view(request)(credential) })
    },
  )

  /** The credential with that access key, whosever path it was asked under, once the caller may do this with it. */
  const permitted = async (request: FastifyRequest, access: string) => {
    const row = must(await credentialRows.findByAccess(db, credentials.hashAccess(access)), 'credential', access)
    request.enforce(targetOf(row.userId))
    refuseDelegated(request.ctx)
    return row
  }

  const one = `${path}/:access`
  app.get(one, { config: rule('get_credential'), schema: { params: oneParams } }, async (request) => ({
    credential: view(request)(credentials.opened(deps, await permitted(request, request.params.access))),
  }))
  app.delete(one, { config: rule('delete_credential'), schema: { params: oneParams } }, async (request, reply) => {
    const { id } = await permitted(request, request.params.access)
    await credentials.remove(deps, id)
    return reply.code(204).send()
  })
}
