import type { Claims } from '../../../platform/auth/token-codec.ts'
import { newAuditId } from '../../../platform/auth/tokens.ts'
import * as credentialRows from '../db/credentials.ts'
import * as projectRows from '../db/projects.ts'
import { ec2BlobOf, hashAccess, opened } from './credentials.ts'
import type { Deps } from './deps.ts'
import { type SignedRequest, sameText, signatureOf, signatureOfText } from './ec2-signatures.ts'
import { rolesIn } from './effective-roles.ts'
import { badRequest, unauthorized } from './refusals.ts'
import { stillThere, usable } from './who.ts'

/** How far the clocks of signer and cloud may be apart, and how long a signed request may travel. Keystone's default. */
const maxAgeMs = 15 * 60_000

/** Whose key, and the signature made with it: of a request (EC2), or of a text that a service was given (S3). */
export interface Signed {
  readonly access: string
  readonly signature: string
  readonly request?: SignedRequest
  /** Base64. */
  readonly text?: string
}

/**
 * A token for whoever signed with the secret of an EC2 credential: the user's roles in the credential's project.
 * Source: Identity API reference, "OS-EC2"; Keystone's `/v3/ec2tokens` and `/v3/s3tokens`.
 * @throws CloudError kind `unauthorized` without a word on what was wrong.
 */
export async function logInSigned(deps: Deps, signed: Signed): Promise<Claims> {
  const db = deps.database.read
  const atMs = deps.clock.nowMs()
  const row = await credentialRows.findByAccess(db, hashAccess(signed.access))
  if (!row?.projectId) throw unauthorized()
  const { secret } = ec2BlobOf(opened(deps, row))
  if (!secret || !isRight(secret, signed)) throw unauthorized()
  if (signed.request && !isFresh(signed.request, atMs)) throw unauthorized()
  const user = await stillThere(db, row.userId)
  const project = await projectRows.find(db, row.projectId)
  const scope = project && (await usable(db, project))
  const roles = scope ? await rolesIn(db, user.id, scope) : []
  if (!scope || roles.length === 0) throw unauthorized()
  return {
    userId: user.id,
    userName: user.name,
    userDomainId: user.domainId,
    scope,
    roles: roles.map(({ id, name }) => ({ id, name })),
    methods: ['ec2credential'],
    auditIds: [newAuditId()],
    issuedAtMs: atMs,
    expiresAtMs: atMs + deps.tokenMs,
  }
}

function isRight(secret: string, { signature, request, text }: Signed): boolean {
  if (text !== undefined) {
    const right = signatureOfText(secret, Buffer.from(text, 'base64url'))
    return right !== null && sameText(right, signature)
  }
  if (!request) throw badRequest('There is nothing that was signed.')
  const [name = ''] = request.host.split(':')
  // Some client libraries sign the host without its port.
  return [request.host, name].some((host) => {
    const right = signatureOf(secret, { ...request, host })
    return right !== null && sameText(right, signature)
  })
}

/** Not signed too long ago. A request without a time is as its signer wanted it. */
function isFresh({ params, headers }: SignedRequest, nowMs: number): boolean {
  const header = Object.entries(headers).find(([name]) => name.toLowerCase() === 'x-amz-date')?.[1]
  const text = params.Timestamp ?? header ?? params['X-Amz-Date']
  if (text === undefined) return true
  const extended = text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/, '$1-$2-$3T$4:$5:$6')
  const signedAtMs = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(extended) ? extended : `${extended}Z`)
  return Math.abs(nowMs - signedAtMs) <= maxAgeMs // false for what is no time
}
