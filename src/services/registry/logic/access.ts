import type { Context } from '../../../platform/auth/context.ts'
import { allows } from '../../../platform/auth/delegation.ts'
import type { Action, Deps } from './deps.ts'
import { isImageRepository, isName, locate, type Repository } from './names.ts'
import type { Access } from './tokens.ts'

/** Who asks. `grants` null: an Identity token, which is held to no scope but its own. */
export type Caller =
  | { kind: 'engine'; grants: readonly Access[] }
  | { kind: 'user'; ctx: Context; grants: readonly Access[] | null }

/** What of a request tells who asks, and whether an application may ask that in a user's name. */
export interface Request {
  readonly id: string
  readonly method: string
  readonly url: string
  readonly headers: { authorization?: string | undefined; 'x-auth-token'?: string | string[] | undefined }
}

/** By the registry's own token, or directly by Identity's. Null when there is none that holds. */
export function callerOf({ tokens, identity }: Pick<Deps, 'tokens' | 'identity'>, request: Request): Caller | null {
  const { headers, id, method, url } = request
  const user = (token: string, grants: readonly Access[] | null): Caller | null => {
    const ctx = identity.authenticate(token, id) // also says whether it was revoked meanwhile
    return ctx && allows(ctx.delegation, 'registry', method, url) ? { kind: 'user', ctx, grants } : null
  }
  const direct = headers['x-auth-token']
  if (typeof direct === 'string' && direct !== '') return user(direct, null)
  const [scheme, token] = headers.authorization?.split(' ') ?? []
  const verified = scheme?.toLowerCase() === 'bearer' && token ? tokens.verify(token) : null
  if (!verified) return null
  if (verified.identityToken === null) return { kind: 'engine', grants: verified.access }
  return user(verified.identityToken, verified.access)
}

export const isGranted = (caller: Caller, name: string, action: Action): boolean =>
  caller.grants === null ||
  caller.grants.some(
    (access) => access.type === 'repository' && access.name === name && access.actions.includes(action),
  )

/** May `ctx` do this here? Pulling from other projects is decided image by image. */
export function mayIn({ images }: Pick<Deps, 'images'>, ctx: Context, action: Action, { owner }: Repository): boolean {
  return images.may(ctx, action, owner)
}

/** Source: distribution's "Token Scope Documentation". Unreadable scopes ask for nothing. */
export function parseScopes(texts: readonly string[]): Access[] {
  return texts
    .flatMap((text) => text.split(' '))
    .flatMap((text) => {
      const parts = /^([a-z]+)(?:\([^)]*\))?:(.+):([a-z*,]*)$/.exec(text)
      return parts ? [{ type: parts[1] ?? '', name: parts[2] ?? '', actions: (parts[3] ?? '').split(',') }] : []
    })
    .slice(0, 50)
}

/** What of the wishes `ctx` may have. Narrower than asked is no error: the retry tells. */
export async function granted(deps: Deps, ctx: Context, wishes: readonly Access[]): Promise<Access[]> {
  const found = new Map<string, Access>()
  for (const { type, name, actions } of wishes) {
    const allowed =
      type === 'registry' && name === 'catalog'
        ? actions.filter((action) => action === '*' || action === 'search')
        : type === 'repository'
          ? await actionsIn(deps, ctx, name, actions)
          : []
    if (allowed.length === 0) continue
    const key = `${type}:${name}`
    found.set(key, { type, name, actions: [...new Set([...(found.get(key)?.actions ?? []), ...allowed])] })
  }
  return [...found.values()]
}

async function actionsIn(deps: Deps, ctx: Context, name: string, actions: readonly string[]): Promise<string[]> {
  if (!isName(name) || isImageRepository(name)) return []
  const repository = await locate(deps, ctx, name)
  if (!repository) return []
  const wanted = new Set(actions.includes('*') ? ['pull', 'push', 'delete'] : actions)
  const allowed: string[] = []
  for (const action of ['pull', 'push', 'delete'] as const) {
    if (!wanted.has(action)) continue
    if (mayIn(deps, ctx, action, repository)) allowed.push(action)
    else if (action === 'pull' && (await isSeen(deps, ctx, repository))) allowed.push(action)
  }
  return allowed
}

/** Another project's repository is there as far as its images are. */
const isSeen = async ({ images, database }: Deps, ctx: Context, { owner, name }: Repository): Promise<boolean> =>
  (await images.find(database.read, ctx, owner, name)).length > 0
