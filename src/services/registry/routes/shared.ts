import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CloudError } from '../../../platform/errors.ts'
import { baseUrl } from '../../../platform/http/links.ts'
import { type Caller, callerOf, isGranted, mayIn } from '../logic/access.ts'
import type { Action, Deps } from '../logic/deps.ts'
import { isImageRepository, locate, type Repository } from '../logic/names.ts'
import type { Origin } from '../logic/notifications.ts'
import { refusals } from '../logic/refusals.ts'

/** One request to a repository, its caller known and let in. */
export interface Visit {
  deps: Deps
  request: FastifyRequest
  reply: FastifyReply
  caller: Caller
  /** As in the URL. */
  path: string
}

/** Engines read the challenge even when they were handed a token: without it they never send one. */
export function challenge(request: FastifyRequest, reply: FastifyReply, scope?: string, known = false): CloudError {
  const wanted = scope ? `,scope="${scope}"` : ''
  const error = known ? ',error="insufficient_scope"' : ''
  reply.header('www-authenticate', `Bearer realm="${baseUrl(request)}/token",service="registry"${wanted}${error}`)
  return new CloudError('unauthorized', 'authentication required', { type: 'UNAUTHORIZED' })
}

/** @throws CloudError UNAUTHORIZED unless the token allows the action here. */
export function enter(deps: Deps, request: FastifyRequest, reply: FastifyReply, path: string, action: Action): Visit {
  const caller = callerOf(deps, request)
  if (caller && isGranted(caller, path, action)) return { deps, request, reply, caller, path }
  const actions = action === 'push' ? 'pull,push' : action
  throw challenge(request, reply, `repository:${path}:${actions}`, caller !== null)
}

/** The repository for changing it. @throws CloudError DENIED, also where there is no such project. */
export async function own({ deps, caller, path }: Visit, action: Action): Promise<Repository & { ctx: OwnContext }> {
  if (deps.readOnly) throw refusals.readOnly()
  if (caller.kind === 'engine' || isImageRepository(path)) throw refusals.denied()
  const repository = await locate(deps, caller.ctx, path)
  if (!repository || !mayIn(deps, caller.ctx, action, repository)) throw refusals.denied()
  return { ...repository, ctx: caller.ctx }
}

/** What a notification says of a request. */
export const originOf = (request: FastifyRequest, ctx: OwnContext): Origin => ({
  ctx,
  address: request.ip,
  host: request.host,
  method: request.method,
  userAgent: String(request.headers['user-agent'] ?? ''),
})

type OwnContext = Extract<Caller, { kind: 'user' }>['ctx']

/** Where the caller may read: the repository's own rows, or none, and the images found under its name. */
export interface Reading {
  repository: Repository | null
  /** Rows' name of what may be read whole. */
  key: string | null
}

/** The repository for reading. @throws CloudError NAME_UNKNOWN */
export async function readable({ deps, caller, path }: Visit): Promise<Reading> {
  if (caller.kind === 'engine') return { repository: null, key: path }
  const repository = await locate(deps, caller.ctx, path)
  if (!repository) throw refusals.nameUnknown()
  return { repository, key: mayIn(deps, caller.ctx, 'pull', repository) ? repository.key : null }
}

/** The body as a stream, empty when there is none. */
export function bodyOf(request: FastifyRequest): Readable {
  return request.body instanceof Readable ? request.body : Readable.from([])
}

/** A refused body is read to its end, as most clients hear an answer only then; not for ever. */
export function drain(request: FastifyRequest): void {
  const { body } = request
  if (!(body instanceof Readable) || body.readableEnded) return
  const patience = setTimeout(() => body.destroy(), 60_000).unref()
  body.on('error', () => {})
  body.once('close', () => clearTimeout(patience)).resume()
}

/** `n` and `last` of a list. @throws CloudError PAGINATION_NUMBER_INVALID */
export function pageOf(request: FastifyRequest): { limit: number | null; after: string | null } {
  const search = new URL(request.url, 'http://x').searchParams
  const n = search.get('n')
  if (n !== null && !/^\d{1,9}$/.test(n))
    throw new CloudError('badRequest', `invalid number of results requested: ${n.slice(0, 50)}`, {
      type: 'PAGINATION_NUMBER_INVALID',
    })
  return { limit: n === null ? null : Number(n), after: search.get('last') }
}

/** Cuts a list that was read one item further than asked for, and links to the rest. */
export function page(
  request: FastifyRequest,
  reply: FastifyReply,
  items: readonly string[],
  limit: number | null,
): readonly string[] {
  if (limit === null || items.length <= limit) return items
  const shown = items.slice(0, limit)
  const last = shown.at(-1)
  if (last !== undefined) {
    const path = request.url.split('?')[0] ?? ''
    reply.header('link', `<${path}?n=${limit}&last=${encodeURIComponent(last)}>; rel="next"`)
  }
  return shown
}
