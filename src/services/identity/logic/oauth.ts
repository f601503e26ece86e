import { randomInt } from 'node:crypto'
import type { Claims } from '../../../platform/auth/token-codec.ts'
import { newAuditId } from '../../../platform/auth/tokens.ts'
import { CloudError } from '../../../platform/errors.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as oauthRows from '../db/oauth.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import type { Deps } from './deps.ts'
import { rolesIn, withImplied } from './effective-roles.ts'
import { isSigned, type OauthParams, type OauthRequest, oauthParams } from './oauth-signatures.ts'
import { badRequest, must, unauthorized } from './refusals.ts'
import { stillThere, usable } from './who.ts'

/** Keystone's defaults. */
const requestTokenMs = 8 * 3_600_000
const accessTokenMs = 24 * 3_600_000

/** A token with its secret, shown this once. */
export interface Issued {
  readonly id: string
  readonly secret: string
  readonly expiresAtMs: number
}

const refused = (message: string) => new CloudError('unauthorized', message)
const missing = (noun: string) => new CloudError('notFound', `${noun} not found`)

/** The header's parameters. @throws CloudError when there are none, or one of `needed` is lacking. */
function paramsOf({ authorization }: OauthRequest, needed: readonly string[]): OauthParams {
  const params = oauthParams(authorization)
  if (!params) throw refused('Error retrieving OAuth headers.')
  for (const name of needed) if (!params[name]) throw badRequest(`Expecting to find ${name} in request.`)
  return params
}

async function consumerSecret(deps: Deps, id: string | undefined): Promise<string | undefined> {
  const consumer = await oauthRows.findConsumer(deps.database.read, id ?? '')
  return consumer && deps.secretBox.open(consumer.sealed, consumer.id)
}

/** First step: a consumer wishes to act in a project. Source: RFC 5849 §2.1; Identity API reference, "OS-OAUTH1 API". */
export async function requestToken(deps: Deps, request: OauthRequest, projectId: string | undefined): Promise<Issued> {
  const { oauth_consumer_key: consumerId = '' } = paramsOf(request, ['oauth_consumer_key'])
  if (!projectId) throw badRequest('Expecting to find Requested-Project-Id in request.')
  must(await projectRows.find(deps.database.read, projectId), 'project', projectId)
  const secret = await consumerSecret(deps, consumerId)
  if (secret === undefined) throw missing('Consumer')
  const nowMs = deps.clock.nowMs()
  if (!isSigned(request, { consumer: secret, token: '' }, nowMs)) throw refused('Invalid signature')
  const issued = { id: newHexId(), secret: newHexId(), expiresAtMs: nowMs + requestTokenMs }
  const { id, expiresAtMs } = issued
  const sealed = deps.secretBox.seal(issued.secret, id)
  await deps.database.write(async (trx) => {
    await oauthRows.removeExpired(trx, nowMs)
    await oauthRows.insertRequest(trx, { id, sealed, consumerId, projectId, expiresAtMs })
  })
  return issued
}

/** Digits and letters, as upstream's; no client reads more into it. */
const newVerifier = (): string => {
  const signs = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
  return Array.from({ length: 8 }, () => signs[randomInt(signs.length)]).join('')
}

/** Second step: a user says yes, to some of the roles they have there. @returns the verifier to hand to the consumer. */
export async function authorize(
  { database, clock }: Deps,
  userId: string,
  requestTokenId: string,
  wanted: readonly { id?: string; name?: string }[],
): Promise<string> {
  const verifier = newVerifier()
  await database.write(async (trx) => {
    const token = await oauthRows.findRequest(trx, requestTokenId)
    if (!token) throw missing('Request token')
    if (token.expiresAtMs <= clock.nowMs()) throw refused('Request token is expired')
    const project = must(await projectRows.find(trx, token.projectId), 'project', token.projectId)
    const scope = await usable(trx, project)
    const held = new Set(scope ? (await rolesIn(trx, userId, scope)).map(({ id }) => id) : [])
    const roleIds: string[] = []
    for (const { id, name } of wanted) {
      const role = id === undefined ? await roleRows.findByName(trx, null, name ?? '') : await roleRows.find(trx, id)
      if (!role || !held.has(role.id)) throw refused('authorizing user does not have role required')
      roleIds.push(role.id)
    }
    await oauthRows.grantRequest(trx, token.id, { userId, verifier, roleIds })
  })
  return verifier
}

/** Third step: the consumer comes back with the verifier. Source: RFC 5849 §2.3. */
export async function accessToken(deps: Deps, request: OauthRequest): Promise<Issued> {
  const params = paramsOf(request, ['oauth_consumer_key', 'oauth_token', 'oauth_verifier'])
  const nowMs = deps.clock.nowMs()
  const token = await oauthRows.findRequest(deps.database.read, params.oauth_token ?? '')
  if (!token) throw missing('Request token')
  if (token.expiresAtMs <= nowMs) throw refused('Request token is expired')
  if (token.consumerId !== params.oauth_consumer_key)
    throw refused('Provided consumer key does not match stored consumer key.')
  const consumer = (await consumerSecret(deps, token.consumerId)) ?? ''
  const secrets = { consumer, token: deps.secretBox.open(token.sealed, token.id) }
  if (!consumer || !isSigned(request, secrets, nowMs)) throw refused('Invalid signature')
  const { granted } = token
  if (!granted || granted.verifier !== params.oauth_verifier)
    throw refused('Provided verifier does not match stored verifier')
  const issued = { id: newHexId(), secret: newHexId(), expiresAtMs: nowMs + accessTokenMs }
  const { id, expiresAtMs } = issued
  const { consumerId, projectId } = token
  const { userId, roleIds } = granted
  const sealed = deps.secretBox.seal(issued.secret, id)
  await deps.database.write(async (trx) => {
    if (!(await oauthRows.removeRequest(trx, token.id))) throw missing('Request token')
    await oauthRows.insertAccess(trx, { id, sealed, consumerId, projectId, userId, roleIds, expiresAtMs })
  })
  return issued
}

/** A log-in by a request that was signed with an access token: the roles given then that the user still has. */
export async function byOauth(deps: Deps, request: OauthRequest): Promise<Claims> {
  const params = paramsOf(request, ['oauth_token'])
  const db = deps.database.read
  const atMs = deps.clock.nowMs()
  const token = await oauthRows.findAccess(db, params.oauth_token ?? '')
  if (!token || token.consumerId !== params.oauth_consumer_key) throw unauthorized()
  if (token.expiresAtMs <= atMs) throw refused('Access token is expired')
  const consumer = (await consumerSecret(deps, token.consumerId)) ?? ''
  const secrets = { consumer, token: deps.secretBox.open(token.sealed, token.id) }
  if (!consumer || !isSigned(request, secrets, atMs)) throw refused('Could not validate the access token')
  const user = await stillThere(db, token.userId)
  const project = await projectRows.find(db, token.projectId)
  const scope = project && (await usable(db, project))
  const given = new Set(withImplied(await roleRows.implications(db), token.roleIds))
  const roles = scope ? (await rolesIn(db, user.id, scope)).filter(({ id }) => given.has(id)) : []
  if (!scope || roles.length === 0) throw unauthorized()
  return {
    userId: user.id,
    userName: user.name,
    userDomainId: user.domainId,
    scope,
    roles: roles.map(({ id, name }) => ({ id, name })),
    methods: ['oauth1'],
    auditIds: [newAuditId()],
    issuedAtMs: atMs,
    expiresAtMs: Math.min(atMs + deps.tokenMs, token.expiresAtMs),
    delegation: { kind: 'oauth1', id: token.id, consumerId: token.consumerId },
  }
}
