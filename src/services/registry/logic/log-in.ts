import { createHash } from 'node:crypto'
import type { Context } from '../../../platform/auth/context.ts'
import { CloudError } from '../../../platform/errors.ts'
import { newSecret } from '../../../platform/ids.ts'
import type { LogIn } from '../../identity/index.ts'
import * as refreshTokens from '../db/refresh-tokens.ts'
import type { Deps } from './deps.ts'
import { locate } from './names.ts'
import type { Access } from './tokens.ts'

/** Somebody who proved who they are. */
export interface Proven {
  ctx: Context
  /** What a refresh token would stand for; null where none is given, for it would outlive a narrower proof. */
  lasting: { userId: string; projectId: string; provenMs: number } | null
}

type PasswordLogIn = Required<Pick<LogIn, 'methods' | 'password'>> & Pick<LogIn, 'scope'>

const refreshDays = 30
const hash = (token: string): string => createHash('sha256').update(token).digest('hex')
const refused = (): CloudError =>
  new CloudError('unauthorized', 'incorrect username or password', { type: 'UNAUTHORIZED' })

/**
 * `user`, `user@domain`, `user/project`, `user@domain/project@domain`; a domain that is not named is the default one,
 * a project's without one is the user's.
 */
export function parseUser(
  text: string,
): { name: string; domain: string | null; project: string | null; projectDomain: string | null } | null {
  const [user = '', project, ...more] = text.split('/')
  const [name = '', domain, ...ats] = user.split('@')
  const [projectName, projectDomain, ...projectAts] = project?.split('@') ?? []
  if (!name || more.length + ats.length + projectAts.length > 0 || project === '') return null
  return { name, domain: domain || null, project: projectName ?? null, projectDomain: projectDomain || domain || null }
}

/**
 * Basic credentials → who it is. Where no project is named, the one that the wishes name is tried, then the user's own.
 * @throws CloudError kind `unauthorized` or `rateLimited`
 */
export async function byPassword(
  deps: Deps,
  user: string,
  password: string,
  { wishes, address, requestId }: { wishes: readonly Access[]; address: string; requestId: string },
): Promise<Proven> {
  if (user === 'token' || user.startsWith('token-')) {
    const ctx = deps.identity.authenticate(password, requestId)
    if (!ctx) throw refused()
    return { ctx, lasting: null }
  }
  const refreshed = password.startsWith(refreshPrefix)
    ? await byRefreshToken(deps, password, { address, requestId, wishes })
    : null
  if (refreshed) return refreshed
  if (user.startsWith(credentialPrefix)) return byCredential(deps, user, password, { address, requestId })
  const parsed = parseUser(user)
  if (!parsed) throw refused()
  const wanted: PasswordLogIn = {
    methods: ['password'],
    password: { user: { name: parsed.name, domain: domainRef(parsed.domain), password } },
    scope: parsed.project ? { project: { name: parsed.project, domain: domainRef(parsed.projectDomain) } } : undefined,
  }
  const provenMs = deps.clock.nowMs()
  const first = deps.identity.authenticate(await deps.identity.logIn(wanted, address), requestId)
  if (!first) throw refused()
  const ctx = first.projectId === null ? await inSomeProject(deps, first, provenMs) : first
  const better = parsed.project ? null : await inWishedProject(deps, ctx, wishes, provenMs)
  const chosen = better ?? ctx
  const { userId, projectId } = chosen
  return { ctx: chosen, lasting: { userId, projectId: parsed.project ? (projectId ?? '') : '', provenMs } }
}

const domainRef = (name: string | null) => (name === null || name === 'default' ? { id: 'default' } : { name })

const credentialPrefix = 'applicationcredential-'

/**
 * `applicationcredential-<id>` or `applicationcredential-<user@domain>-<name>`, with the secret. What it allows ends
 * with it, so nothing that lasts is given for it.
 */
async function byCredential(
  deps: Deps,
  user: string,
  secret: string,
  { address, requestId }: { address: string; requestId: string },
): Promise<Proven> {
  const rest = user.slice(credentialPrefix.length)
  const named = /^([^@]+)@([^@]+?)-(.+)$/.exec(rest)
  const [, name = '', domain = '', credential = ''] = named ?? []
  const proof = named ? { name: credential, user: { name, domain: domainRef(domain) }, secret } : { id: rest, secret }
  const wanted: LogIn = { methods: ['application_credential'], application_credential: proof }
  const ctx = deps.identity.authenticate(await deps.identity.logIn(wanted, address), requestId)
  if (!ctx) throw refused()
  return { ctx, lasting: null }
}

/** Without a default project, the first that there is: nothing here is done in none. */
async function inSomeProject(deps: Deps, ctx: Context, provenMs: number): Promise<Context> {
  const token = await deps.identity.reissue({ userId: ctx.userId, projectId: null, provenMs })
  return deps.identity.authenticate(token, ctx.requestId) ?? ctx
}

/** Who named no project works in the one whose repository they ask for, if they may. */
async function inWishedProject(
  deps: Deps,
  ctx: Context,
  wishes: readonly Access[],
  provenMs: number,
): Promise<Context | null> {
  const first = [...wishes]
    .sort((a, b) => Number(b.actions.includes('push')) - Number(a.actions.includes('push')))
    .find(({ type, name }) => type === 'repository' && name.includes('/'))
  const owner = first ? (await locate(deps, ctx, first.name))?.owner : null
  if (!owner || owner === ctx.projectId) return null
  const token = await deps.identity.reissue({ userId: ctx.userId, projectId: owner, provenMs }).catch(ifRefused)
  return token === null ? null : deps.identity.authenticate(token, ctx.requestId)
}

function ifRefused(thrown: unknown): null {
  if (thrown instanceof CloudError && thrown.kind === 'unauthorized') return null
  throw thrown
}

const refreshPrefix = 'brt-'

/** A refresh token: what `docker login` keeps in the place of a password. */
export async function newRefreshToken(deps: Deps, { lasting }: Proven): Promise<string | null> {
  if (!lasting) return null
  const token = `${refreshPrefix}${newSecret(32)}`
  const expiresMs = deps.clock.nowMs() + refreshDays * 86_400_000
  await deps.database.write((trx) => refreshTokens.insert(trx, hash(token), lasting, expiresMs))
  return token
}

/** @throws CloudError kind `unauthorized` when it is unknown, or its user has a newer password, no role, or is gone. */
export async function byRefreshToken(
  deps: Deps,
  token: string,
  { address, requestId, wishes = [] }: { address: string; requestId: string; wishes?: readonly Access[] },
): Promise<Proven> {
  const wait = deps.failures.retryAfterSeconds(address)
  if (wait > 0) throw new CloudError('rateLimited', `Too many failed log-ins. Try again in ${wait} seconds.`)
  const lasting = await refreshTokens.find(deps.database.read, hash(token), deps.clock.nowMs())
  if (!lasting) {
    deps.failures.fail(address)
    throw refused()
  }
  const ctx = await contextFor(deps, lasting, wishes, requestId)
  if (!ctx) throw refused()
  return { ctx, lasting }
}

async function contextFor(
  deps: Deps,
  { userId, projectId, provenMs }: refreshTokens.RefreshToken,
  wishes: readonly Access[],
  requestId: string,
): Promise<Context | null> {
  if (projectId !== '')
    return deps.identity.authenticate(await deps.identity.reissue({ userId, projectId, provenMs }), requestId)
  const token = await deps.identity.reissue({ userId, projectId: null, provenMs })
  const ctx = deps.identity.authenticate(token, requestId)
  return ctx && ((await inWishedProject(deps, ctx, wishes, provenMs)) ?? ctx)
}
