import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { App } from '../../../platform/http/app.ts'
import * as pushed from '../db/pushed.ts'
import { callerOf } from '../logic/access.ts'
import type { Deps, Owner } from '../logic/deps.ts'
import { byPassword } from '../logic/log-in.ts'
import { challenge, page, pageOf } from './shared.ts'
import { basicOf } from './token.ts'

/** `docker search` shows no more on a page. */
const mostFound = 100
const mostNames = 10_000

/** The catalogue, and what is left of version 1 because `docker search` and `podman search` still speak it. */
export function searchRoutes(app: App, deps: Deps): void {
  const config = { policy: 'public' }

  app.get('/v2/_catalog', { config }, async (request, reply) => {
    const ctx = userOf(deps, request, reply, 'registry:catalog:*')
    const { limit, after } = pageOf(request)
    const names = (await namesFor(deps, ctx, '', mostNames)).filter((name) => after === null || name > after)
    return { repositories: page(request, reply, names, limit) }
  })

  app.get('/v1/_ping', { config }, async (_request, reply) => {
    reply.header('x-docker-registry-version', '2.0').header('x-docker-registry-standalone', 'true')
    return reply.send('true')
  })

  app.get('/v1/search', { config }, async (request, reply) => {
    const ctx = await searcherOf(deps, request, reply)
    const search = new URL(request.url, 'http://x').searchParams
    const query = (search.get('q') ?? '').slice(0, 255)
    const size = Math.min(mostFound, Math.max(1, Number.parseInt(search.get('n') ?? '25', 10) || 25))
    const at = Math.max(1, Number.parseInt(search.get('page') ?? '1', 10) || 1)
    const found = (await namesFor(deps, ctx, query, mostNames)).filter((name) => name.includes(query))
    const results = found.slice((at - 1) * size, at * size).map((name) => ({
      name,
      description: '',
      star_count: 0,
      is_official: name.startsWith('library/'),
      is_automated: false,
    }))
    const num_pages = Math.ceil(found.length / size)
    return { query, num_results: found.length, num_pages, page: at, page_size: size, results }
  })

  app.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    url: '/v1/*',
    config,
    handler: async () => {
      throw new CloudError('gone', 'version 1 of the registry protocol is gone: use version 2, below /v2/', {
        type: 'UNSUPPORTED',
      })
    },
  })
}

function userOf(deps: Deps, request: FastifyRequest, reply: FastifyReply, scope: string): Context {
  const caller = callerOf(deps, request)
  const [type, name] = scope.split(':')
  const isAllowed =
    caller?.kind === 'user' &&
    (caller.grants === null || caller.grants.some((access) => access.type === type && access.name === name))
  if (!isAllowed) throw challenge(request, reply, scope, caller !== null)
  return caller.ctx
}

async function searcherOf(deps: Deps, request: FastifyRequest, reply: FastifyReply): Promise<Context> {
  if (/^basic /i.test(request.headers.authorization ?? '')) {
    const { user, password } = basicOf(request)
    return (await byPassword(deps, user, password, { wishes: [], address: request.ip, requestId: request.id })).ctx
  }
  return userOf(deps, request, reply, 'registry:catalog:search')
}

/** What the caller finds, by the names they would pull it by, sorted. */
async function namesFor(deps: Deps, ctx: Context, term: string, limit: number): Promise<string[]> {
  const { database, identity, images } = deps
  const names = new Map<Owner, string>([[null, 'library']])
  const nameOf = async (owner: Owner): Promise<string> => {
    const known = names.get(owner)
    if (known !== undefined || owner === null) return known ?? 'library'
    const project =
      owner === ctx.projectId ? ctx.projectName : (await identity.projects.find(database.read, owner))?.name
    const name = project && /^[a-z0-9][a-z0-9._-]*$/.test(project) ? project : owner
    names.set(owner, name)
    return name
  }
  const found = new Set<string>()
  for (const under of ctx.isAdmin ? [null] : [ctx.projectId, 'library']) {
    if (!ctx.isAdmin && under === null) continue
    if (under !== 'library' && !images.may(ctx, 'pull', ctx.projectId)) continue
    for (const key of await pushed.repositories(database.read, under)) {
      const slash = key.indexOf('/')
      const owner = key.slice(0, slash)
      if (owner === 'images') continue
      found.add(`${await nameOf(owner === 'library' ? null : owner)}${key.slice(slash)}`)
    }
  }
  const bare = term.slice(term.indexOf('/') + 1)
  for (const { owner, name } of await images.names(database.read, ctx, bare, limit)) {
    found.add(`${await nameOf(owner)}/${name}`)
  }
  return [...found].sort((a, b) => (a < b ? -1 : 1)).slice(0, limit)
}
