import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CloudError, NotFound } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import { baseUrl, withQuery } from '../../../platform/http/links.ts'
import { check } from '../../../platform/http/validation.ts'
import type { Keypair } from '../db/keypairs.ts'
import type { Deps } from '../logic/deps.ts'
import * as keypairs from '../logic/keypairs.ts'
import { last, paging, queryOf, since, unpaged, versioned } from './common.ts'

const strict = { additionalProperties: false }
const newKeypair = versioned(['2.1', '2.2', '2.10', '2.92'], (at) =>
  Type.Object(
    {
      keypair: Type.Object(
        {
          name: Type.String({
            minLength: 1,
            maxLength: 255,
            pattern: at('2.92') ? '^(?! )[_\\-@. a-zA-Z0-9]+(?<! )$' : '^(?! )[_\\- a-zA-Z0-9]+(?<! )$',
          }),
          public_key: at('2.92') ? Type.String() : Type.Optional(Type.String()),
          ...(at('2.2') ? { type: Type.Optional(Type.Enum(['ssh', 'x509'])) } : {}),
          ...(at('2.10') ? { user_id: Type.Optional(Type.String()) } : {}),
        },
        strict,
      ),
    },
    strict,
  ),
)
interface NewKeypair {
  keypair: { name: string; public_key?: string; type?: 'ssh' | 'x509'; user_id?: string }
}

/** Source: Compute API reference, "Keypairs (keypairs)". */
export function keypairRoutes(app: App, deps: Deps): void {
  const rule = (name: string) => ({ policy: `os_compute_api:os-keypairs:${name}`, check: 'handler' as const })
  const one = { params: Type.Object({ name: Type.String() }) }

  app.get('/os-keypairs', { config: rule('index') }, async (request) => {
    const userId = userOf(request)
    const paged = since(request, '2.35')
    const { limit, marker, linked } = paged ? paging(queryOf(request)) : unpaged
    const found = await keypairs.list(deps, userId, limit + 1, marker).catch((error) => {
      if (!(error instanceof NotFound)) throw error
      throw new CloudError('badRequest', `Marker ${marker} could not be found.`)
    })
    const page = found.slice(0, limit)
    const more = found.length > limit && linked
    const next = withQuery(request, { marker: page.at(-1)?.name ?? null })
    return {
      keypairs: page.map((keypair) => ({ keypair: view(request, keypair) })),
      ...(more ? { keypairs_links: [{ rel: 'next', href: baseUrl(request) + next }] } : {}),
    }
  })

  app.post('/os-keypairs', { config: { ...rule('create'), bodies: newKeypair.schemas } }, async (request, reply) => {
    const { keypair: body } = check<NewKeypair>(newKeypair(request.microversion), request.body)
    const userId = body.user_id ?? request.ctx.userId
    request.enforce({ user_id: userId })
    const { keypair, privateKey } = await keypairs.create(deps, {
      ...{ userId, projectId: request.ctx.projectId ?? '', name: body.name.trim() },
      ...{ type: body.type ?? 'ssh', publicKey: body.public_key ?? null },
    })
    reply.code(since(request, '2.2') ? 201 : 200)
    return {
      keypair: {
        ...view(request, keypair),
        user_id: userId,
        ...(privateKey === null ? {} : { private_key: privateKey }),
      },
    }
  })

  app.get('/os-keypairs/:name', { config: rule('show'), schema: one }, async (request) => {
    const userId = userOf(request)
    const keypair = await keypairs.get(deps, userId, request.params.name)
    return {
      keypair: {
        ...view(request, keypair),
        ...{ user_id: userId, id: keypair.number, created_at: keypair.created_at.replace('Z', '') },
        ...{ deleted: false, deleted_at: null, updated_at: null },
      },
    }
  })

  app.delete('/os-keypairs/:name', { config: rule('delete'), schema: one }, async (request, reply) => {
    await keypairs.remove(deps, userOf(request), request.params.name)
    return reply.code(since(request, '2.2') ? 204 : 202).send()
  })
}

/** Whose keys: the caller's, or from 2.10 those of a user that an administrator names. */
function userOf(request: FastifyRequest): string {
  const named = since(request, '2.10') ? last(queryOf(request), 'user_id') : undefined
  const userId = named ?? request.ctx.userId
  request.enforce({ user_id: userId })
  return userId
}

const view = (request: FastifyRequest, { name, public_key, fingerprint, type }: Keypair) => ({
  ...{ name, public_key, fingerprint },
  ...(since(request, '2.2') ? { type } : {}),
})
